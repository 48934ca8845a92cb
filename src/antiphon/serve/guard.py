"""What stands before every request: size, time, keys, headers, and the log.

Plain ASGI: a layer that wraps requests and responses in objects costs more than a search by likes.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, cast

from starlette.exceptions import HTTPException

from antiphon.serve.metrics import Metrics
from antiphon.serve.problems import problem
from antiphon.serve.settings import Settings
from antiphon.serve.swagger import CSP as DOCS_CSP
from antiphon.serve.swagger import PATH as DOCS

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LOG = logging.getLogger("antiphon.serve")
OPEN = ("/healthz", "/readyz")
UPLOAD = "/v1/search/media"
"""The route of the API that takes files, and so longer bodies."""
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(self), geolocation=()"),
]

DOCS_HEADERS = [(b"content-security-policy", DOCS_CSP.encode()), *HEADERS[1:]]


class Guard:
    """Lets a request through to the application, or answers it with a problem. `long`: paths that take files."""

    def __init__(self, app: App, settings: Settings, metrics: Metrics, long: Sequence[str] = (UPLOAD,)) -> None:
        self.app, self.settings, self.metrics, self.long = app, settings, metrics, tuple(long)
        self.keys = [key.encode() for key in settings.keys]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), [0]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    *(DOCS_HEADERS if scope["path"] == DOCS else HEADERS),
                ]
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, sending)
            else:
                await self._answer(scope, receive, sending, status)
        finally:
            self._note(scope, status[0], time.perf_counter() - start)

    async def _answer(self, scope: Message, receive: Receive, send: Send, status: list[int]) -> None:
        # Streams of the tools' protocol stay open; everything else has a time to be done in.
        limit = None if scope["path"].startswith("/mcp") else self.settings.timeout
        try:
            async with asyncio.timeout(limit):
                await self.app(scope, self._limited(receive, self._most(scope)), send)
        except TimeoutError:
            if not status[0]:
                await problem(503, f"the request took longer than {limit:g} seconds.")(scope, receive, send)

    def _refusal(self, scope: Message) -> App | None:
        headers = dict(scope["headers"])
        if self.settings.hosts:
            host = headers.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0].strip("[]").lower()
            if host not in self.settings.hosts:
                return problem(421, f"the service does not answer under the name {host!r}; see --allow-host.")
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._most(scope):
            return cast("App", problem(413, too_large(self._most(scope))))
        if self.keys and _guarded(scope["path"]) and not self._has_key(headers):
            refusal = problem(401, "an API key is needed: send it as `Authorization: Bearer KEY`.")
            refusal.headers["WWW-Authenticate"] = "Bearer"
            return cast("App", refusal)
        return None

    def _has_key(self, headers: dict[bytes, bytes]) -> bool:
        given = headers.get(b"authorization", b"")
        given = given[7:].strip() if given[:7].lower() == b"bearer " else headers.get(b"x-api-key", b"")
        # Every key is compared, each in constant time: how long it takes says nothing about which one is near.
        return sum(hmac.compare_digest(given, key) for key in self.keys) > 0

    def _most(self, scope: Message) -> int:
        return self.settings.max_upload if scope["path"] in self.long else self.settings.max_body

    def _limited(self, receive: Receive, most: int) -> Receive:
        taken = 0

        async def receiving() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > most:
                    raise HTTPException(413, too_large(most))
            return message

        return receiving

    def _note(self, scope: Message, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "other"
        self.metrics.requests.labels(route, str(status)).inc()
        self.metrics.latency.labels(route).observe(seconds)
        if LOG.isEnabledFor(logging.INFO) and route not in OPEN:
            line: dict[str, Any] = {"method": scope["method"], "route": route, "status": status}
            line["ms"] = round(seconds * 1000, 2)
            if self.settings.log_queries:
                line |= {"path": scope["path"], "query": scope["query_string"].decode("latin-1")}
                line |= scope.get("state", {}).get("asked", {})
            LOG.info(json.dumps(line))


def too_large(most: int) -> str:
    """What is said of a body over the limit."""
    return f"the body is longer than {most:,} bytes."


def _guarded(path: str) -> bool:
    return path.startswith(("/v1/", "/metrics", "/mcp"))
