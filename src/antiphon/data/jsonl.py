"""Files with a JSON object per line, read with care: what is wrong is said with its line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from antiphon.errors import DataError


def json_lines(path: Path, expected: str, of: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a file with the place of each, "FILE, line N"; blank lines are none.

    `expected`: what a line looks like, for messages. `of`: what names the file, said first where it cannot be read.

    Raises:
        DataError: the file cannot be read or is not UTF-8, or a line is no JSON object.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{of}{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{of}{path} is not UTF-8 text ({error}); save it as UTF-8.") from error
    # Not `splitlines`: a line separator inside a JSON string ends no line.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            place = f"{path}, line {number}"
            yield place, _object(line, place, expected)


def spoken(value: Mapping[str, Any]) -> list[str] | None:
    """The turns of a line that has some; None for one without, or where they are no texts."""
    turns = value.get("turns")
    return turns if isinstance(turns, list) and all(isinstance(turn, str) for turn in turns) else None


def _object(line: str, place: str, expected: str) -> dict[str, Any]:
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not JSON ({error}); {expected}.") from error
    if not isinstance(value, dict):
        raise DataError(f"{place}: got {line[:60]}; {expected}.")
    return value
