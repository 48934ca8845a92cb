"""Errors as problem details (RFC 9457), with the same sentences as the command line."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from antiphon.errors import AntiphonError, MissingExtraError, QueryError, RunError, UnknownIdError

MEDIA_TYPE = "application/problem+json"
LOG = logging.getLogger("antiphon.serve")


class OverloadError(Exception):
    """More queries wait than the service takes, or one took too long."""


def problem(status: int, detail: str, **more: Any) -> Response:
    """A problem document."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    headers = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    # ASCII only: a detail may quote half a surrogate pair, which UTF-8 cannot hold.
    return Response(json.dumps(body).encode(), status, headers, MEDIA_TYPE)


def of_error(error: AntiphonError) -> Response:
    """The problem that an error of the library is."""
    if isinstance(error, UnknownIdError):
        return problem(404, str(error))
    if isinstance(error, QueryError):
        return problem(400, str(error))
    # What is not installed may be so later: the service works but for this part.
    return problem(503 if isinstance(error, RunError | MissingExtraError) else 500, str(error))


def install(app: FastAPI) -> None:
    """Answer every error with a problem document."""

    @app.exception_handler(AntiphonError)
    async def ours(request: Request, error: AntiphonError) -> Response:
        return of_error(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        kind = request.headers.get("content-type", "")
        if request.method == "POST" and "json" not in kind.lower() and not kind.startswith("multipart/form-data"):
            sent = f"with the Content-Type {kind.partition(';')[0]!r}" if kind else "without a Content-Type"
            return problem(415, f"the body came {sent}; send JSON, with the header `Content-Type: application/json`.")
        errors = [{"where": ".".join(map(str, item["loc"])), "what": item["msg"]} for item in error.errors()]
        said = "; ".join(f"{item['where']}: {item['what']}" for item in errors[:3])
        return problem(422, f"the request does not have the expected form: {said}.", errors=errors[:20])

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> Response:
        answer = problem(error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(OverloadError)
    async def overload(request: Request, error: OverloadError) -> Response:
        return problem(503, str(error))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        LOG.error("unexpected %s", type(error).__name__, exc_info=error)
        return problem(500, "something went wrong inside the service; its log has more.")
