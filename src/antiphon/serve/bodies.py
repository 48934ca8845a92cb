"""What stands before the routes that take JSON: how deep a body may be nested, and that its texts are texts.

Python's JSON reader takes half a surrogate pair for a character, which nothing after it can encode, and what reads a
body goes as deep as the body does. Both are refused here, before anything reads them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from antiphon.serve.problems import problem

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MAX_DEPTH = 100
"""Levels of a body; the deepest filter that is read has fewer."""
_SIGN = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_SUSPECT = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]|\x00")


class Bodies:
    """Refuses bodies that no route can read; forms with files pass as they are."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH") or _is_form(scope):
            await self.app(scope, receive, send)
            return
        try:
            body = await _whole(receive)
        except HTTPException as error:
            await problem(error.status_code, str(error.detail))(scope, receive, send)
            return
        if body is None:  # whoever asked has gone
            return
        fault = fault_of(body)
        if fault is not None:
            await problem(400, fault)(scope, receive, send)
            return
        await self.app(scope, _again(body, receive), send)


def fault_of(body: bytes) -> str | None:
    """Why a body cannot be read, for a person; None where nothing is wrong, or it is no JSON at all."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH and not _SUSPECT.search(body):
        return None
    try:
        text = body.decode(json.detect_encoding(body), "surrogatepass")
    except UnicodeDecodeError:
        return None
    if depth_of(text) > MAX_DEPTH:
        return f"the body is nested more than {MAX_DEPTH} deep; write it flatter."
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        return f"the body holds {half}, half a surrogate pair, which is no text; take it out, or send the whole pair."
    except (ValueError, RecursionError):
        return None
    return None


def depth_of(text: str) -> int:
    """How deep arrays and objects of a JSON text are nested; what stands in its strings does not count."""
    depth = deepest = 0
    for sign in _SIGN.finditer(text):
        first = text[sign.start()]
        if first in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in "]}":
            depth -= 1
    return deepest


def _is_form(scope: Message) -> bool:
    kind = dict(scope["headers"]).get(b"content-type", b"")
    return bytes(kind).lower().startswith(b"multipart/")


async def _whole(receive: Receive) -> bytes | None:
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever else comes."""
    left = [body]

    async def receiving() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return receiving
