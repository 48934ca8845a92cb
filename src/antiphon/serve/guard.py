"""What stands before every request: size, time, keys, headers, and the log.

Plain ASGI: a layer that wraps requests and responses in objects costs more than a search by likes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, cast

from starlette.exceptions import HTTPException

from antiphon.serve.audit import Audit
from antiphon.serve.keys import Key, KeyRing, scope_of, secret_of
from antiphon.serve.metrics import Metrics
from antiphon.serve.problems import problem
from antiphon.serve.rates import Rates
from antiphon.serve.requestid import HEADER, request_id
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
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", b"camera=(), microphone=(self), geolocation=()"),
]

DOCS_HEADERS = [(b"content-security-policy", DOCS_CSP.encode()), *HEADERS[1:]]


class Guard:
    """Lets a request through to the application, or answers it with a problem. `long`: paths that take files."""

    def __init__(self, app: App, settings: Settings, metrics: Metrics, long: Sequence[str] = (UPLOAD,)) -> None:
        self.app, self.settings, self.metrics, self.long = app, settings, metrics, tuple(long)
        self.ring, self.rates = KeyRing(settings.keys, settings.key_file), Rates()
        self.audit = None if settings.audit is None else Audit(settings.audit)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, headers = time.perf_counter(), [0], dict(scope["headers"])
        state = scope.setdefault("state", {})
        state["request_id"] = request_id(headers)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    *(DOCS_HEADERS if scope["path"] == DOCS else HEADERS),
                    (HEADER, state["request_id"].encode()),
                ]
            await send(message)

        try:
            refusal = self._refusal(scope, headers) or self._closed(scope, headers)
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
        except Exception as error:  # outside of here nothing adds the headers
            LOG.exception("unexpected %s, request %s", type(error).__name__, scope["state"]["request_id"])
            if not status[0]:
                await problem(500, "something went wrong inside the service; its log has more.")(scope, receive, send)

    def _refusal(self, scope: Message, headers: dict[bytes, bytes]) -> App | None:
        if self.settings.hosts:
            host = headers.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0].strip("[]").lower()
            if host not in self.settings.hosts:
                return problem(421, f"the service does not answer under the name {host!r}; see --allow-host.")
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._most(scope):
            return cast("App", problem(413, too_large(self._most(scope))))
        return None

    def _closed(self, scope: Message, headers: dict[bytes, bytes]) -> App | None:
        """Whether this request may not pass a door: no key, one that may not do this, or one that asks too often."""
        if not _guarded(scope["path"]):
            return None
        key = self.ring.find(secret_of(headers)) if self.ring else None
        scope["state"]["who"] = key.name if key is not None else None
        if self.ring and key is None:
            refusal = problem(401, "an API key is needed: send it as `Authorization: Bearer KEY`.")
            refusal.headers["WWW-Authenticate"] = "Bearer"
            return cast("App", refusal)
        wanted = scope_of(scope["method"], scope["path"])
        if key is not None and wanted not in key.scopes:
            said = f"the key {key.name!r} may {' and '.join(key.scopes)}; this needs a key that may {wanted}."
            return cast("App", problem(403, said))
        return self._too_often(scope, key)

    def _too_often(self, scope: Message, key: Key | None) -> App | None:
        rate = (key.rate if key is not None else None) or self.settings.rate
        if not rate:
            return None
        wait = self.rates.wait(key.digest if key is not None else _address(scope), rate)
        if not wait:
            return None
        refusal = problem(429, f"more than {rate:,} requests a minute; ask again in {math.ceil(wait)} s.")
        refusal.headers["Retry-After"] = str(math.ceil(wait))
        return cast("App", refusal)

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
        route = getattr(scope.get("route"), "path_format", None) or "other"
        self.metrics.requests.labels(route, str(status)).inc()
        self.metrics.latency.labels(route).observe(seconds)
        state = scope["state"]
        line: dict[str, Any] = {
            "id": state["request_id"], "method": scope["method"], "route": route, "status": status,
            "ms": round(seconds * 1000, 2),
        }  # fmt: skip
        if self.audit is not None and _guarded(scope["path"]):
            self.audit.note(
                who=state.get("who"), address=_address(scope), scope=scope_of(scope["method"], scope["path"]), **line
            )
        if self.settings.log_queries:
            line |= {"path": scope["path"], "query": scope["query_string"].decode("latin-1")}
            line |= state.get("asked", {})
        slow = 0 < self.settings.slow <= seconds and route not in OPEN
        if slow:
            self.metrics.slow.labels(route).inc()
            LOG.warning(json.dumps({**line, "slow": True}))
        elif LOG.isEnabledFor(logging.INFO) and route not in OPEN and not scope["path"].startswith("/static/"):
            LOG.info(json.dumps(line))


def too_large(most: int) -> str:
    """What is said of a body over the limit."""
    return f"the body is longer than {most:,} bytes."


def _address(scope: Message) -> str:
    return str((scope.get("client") or ("unknown",))[0])


def _guarded(path: str) -> bool:
    return path.startswith(("/v1/", "/metrics", "/mcp"))
