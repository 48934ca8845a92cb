"""What `antiphon serve` says in a terminal."""

from __future__ import annotations

import json
import logging

from antiphon.cli.serve import Readable


def said(message: str) -> str:
    """A message as a terminal shows it."""
    return Readable().format(logging.LogRecord("antiphon.serve", logging.INFO, "", 0, message, (), None))


def test_a_request_is_a_line_to_read() -> None:
    """Time of day, method, route, status and milliseconds, and what was asked where the log is told to have it."""
    line = {"id": "x", "method": "POST", "route": "/v1/search", "status": 200, "ms": 12.34}
    words = said(json.dumps(line)).split()
    assert words[1:] == ["POST", "/v1/search", "200", "12.3", "ms"]
    assert said(json.dumps({**line, "slow": True, "text": "a drama"})).endswith("slow  'a drama'")


def test_what_is_no_request_stays_as_it_is() -> None:
    """Warnings, and JSON of another kind, are not taken apart."""
    assert said("a new version was taken up") == "a new version was taken up"
    assert said('["a"]') == '["a"]'
    assert said('{"a": 1}') == '{"a": 1}'
