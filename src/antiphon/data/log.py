"""A log of real requests: what people asked, and what they chose of the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antiphon.data.jsonl import json_lines, spoken
from antiphon.errors import DataError

EXPECTED = 'expected {"text": "..." or "turns": ["...", ...], "chosen": ["item id", ...]}'


@dataclass(frozen=True)
class Logged:
    """A request, and the rows of the items that were chosen."""

    text: str
    chosen: tuple[int, ...]


@dataclass(frozen=True)
class Log:
    """The requests of a log, and how many had nothing chosen that is in the catalog."""

    requests: tuple[Logged, ...]
    without: int


def read_log(path: Path, row_of: Mapping[str, int]) -> Log:
    """Read lines of JSON with `text` or `turns`, and `chosen`; ids that the catalog lacks are left out.

    Raises:
        DataError: the file cannot be read, a line is malformed (the sentence has its number), or nothing is left.
    """
    found, without = [], 0
    for place, value in json_lines(path, EXPECTED, "train.requests: "):
        text, chosen = _request(value, place)
        rows = sorted({row_of[item_id] for item_id in chosen if item_id in row_of})
        without += not rows
        if rows:
            found.append(Logged(text, tuple(rows)))
    if not found:
        raise DataError(f"train.requests: no request of {path} has a chosen item that is in the catalog.")
    return Log(tuple(found), without)


def _request(value: Mapping[str, Any], place: str) -> tuple[str, list[str]]:
    turns, text, chosen = spoken(value), value.get("text"), value.get("chosen")
    if turns is not None:
        text = "\n".join([*turns, *([text] if isinstance(text, str) else [])])
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{place}: 'text' is {text!r}; {EXPECTED}.")
    if not isinstance(chosen, list) or not all(isinstance(item, str | int) for item in chosen):
        raise DataError(f"{place}: 'chosen' is {chosen!r}; {EXPECTED}.")
    return text, [str(item) for item in chosen]
