"""Ids of requests: what a client calls its request, or a drawn one; in the answer, in every log line and in traces."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

HEADER = b"x-request-id"
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id(headers: Mapping[bytes, bytes]) -> str:
    """The id that a request brings, if it is one that a log can hold; else a new one of 16 hex digits."""
    given = headers.get(HEADER, b"")
    return given.decode() if _ID.fullmatch(given) else secrets.token_hex(8)
