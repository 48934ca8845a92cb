"""Requests with files: a multipart form of pictures or sounds and, beside them, what /v1/search takes as JSON."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from antiphon.errors import QueryError
from antiphon.query.parts import MAX_MEDIA
from antiphon.query.request import MediaFile
from antiphon.serve.guard import UPLOAD as ROUTE
from antiphon.serve.models import SearchBody
from antiphon.serve.requests import media_file
from antiphon.space.space import Space

QUERY = "query"
MAX_QUERY = 256 * 1024
MOST = 16
"""Requests with files that are read or answered at the same time; more are refused."""
OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        **{kind: {"type": "string", "format": "binary"} for kind in MAX_MEDIA},
                        QUERY: {"type": "string", "description": "The body of /v1/search, as JSON text."},
                    },
                },
            }
        },
    }
}

__all__ = ["MOST", "OPENAPI", "ROUTE", "read"]


async def read(request: Request, space: Space) -> tuple[SearchBody, dict[str, MediaFile]]:
    """The JSON part and the files of a form.

    Raises:
        QueryError: no file, one that the space cannot read, or parts that are not known.
        HTTPException: the body is no form.
        RequestValidationError: the JSON part does not have the expected form.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise HTTPException(415, f"{ROUTE} takes multipart/form-data: a file as `image` or `audio`, JSON as `{QUERY}`.")
    async with request.form(max_files=len(MAX_MEDIA), max_fields=1, max_part_size=MAX_QUERY) as form:
        given = form.multi_items()
        names = [name for name, _ in given]
        if unknown := sorted({name for name in names if name not in (*MAX_MEDIA, QUERY)}):
            raise QueryError(f"the form has the part {unknown[0]!r}; known are: {', '.join((*MAX_MEDIA, QUERY))}.")
        if len(set(names)) < len(names):
            raise QueryError("a part of the form is there twice; send each of image, audio and query at most once.")
        files = {name: await _file(name, value, space) for name, value in given if name != QUERY}
        body = _body(next((value for name, value in given if name == QUERY), "{}"))
    if not files:
        raise QueryError("the form has no file; send one as `image` or `audio`, or ask /v1/search.")
    return body, files


async def _file(kind: str, value: UploadFile | str, space: Space) -> MediaFile:
    if not isinstance(value, UploadFile):
        raise QueryError(f"the part {kind!r} of the form is no file; send it with a file name.")
    return media_file(kind, await value.read(), _shown(value.filename or "the file"), space)


def _shown(name: str) -> str:
    # Only ever shown: what a browser calls a file is never a path here.
    return "".join(sign for sign in name.replace("\\", "/").rsplit("/", 1)[-1] if sign.isprintable())[:80] or "the file"


def _body(value: UploadFile | str) -> SearchBody:
    if not isinstance(value, str):
        raise QueryError(f"the part {QUERY!r} of the form is a file; send it as a field with JSON text.")
    try:
        return SearchBody.model_validate_json(value or "{}")
    except ValidationError as error:
        raise RequestValidationError([{**item, "loc": (QUERY, *item["loc"])} for item in error.errors()]) from error
