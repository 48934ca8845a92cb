"""Where a row of a table stands in its file, for whoever has to mend it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

N_SHOWN = 3
HEAD = 4_096
"""Characters of a file that say what it is."""
SEPARATED = (".csv", ".tsv")
LINES = (".jsonl", ".ndjson", ".txt")


def delimiter_of(path: Path) -> str:
    """What separates the columns of a CSV: whichever of comma, semicolon and tab its first line has most of."""
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline()
    counts = {sign: first.count(sign) for sign in ",;\t"}
    return max(counts, key=lambda sign: counts[sign])


def records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV, the first one too, each with the line that it begins in, counted from 1; empty ones go."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        csv.field_size_limit(1 << 30)
        rows, start = csv.reader(file, delimiter=delimiter_of(path)), 1
        for row in rows:
            if row:
                yield start, row
            start = rows.line_num + 1


def has_objects(path: Path) -> bool:
    """Whether a JSON file may be a table: an array of objects, or an object in its first line and others below."""
    if is_array(path):
        return _head(path)[1:].lstrip().startswith("{")
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = next((line for line in file if line.strip()), "")
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def is_array(path: Path) -> bool:
    """Whether a JSON file holds one array."""
    return _head(path).startswith("[")


def _head(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.read(HEAD).lstrip()


def places(path: Path, rows: Sequence[int]) -> list[str]:
    """Where rows (from 0) of a table stand: "line 3" of a text file, "row 2" of a parquet, from 1."""
    wanted = list(rows)
    suffix = path.suffix.lower()
    if suffix in SEPARATED:
        lines = [line for line, _ in islice(records(path), 1, max(wanted, default=0) + 2)]
    elif suffix in LINES or (suffix == ".json" and not is_array(path)):
        with path.open(encoding="utf-8-sig") as file:
            lines = list(islice((number for number, line in enumerate(file, 1) if line.strip()), max(wanted) + 1))
    else:
        return [f"row {row + 1}" for row in wanted]
    return [f"line {lines[row]}" if row < len(lines) else f"row {row + 1}" for row in wanted]


def where(path: Path, mask: NDArray[np.bool_]) -> str:
    """The first places of the rows under a mask as one phrase: "line 3", "lines 3, 4, 9, ..."."""
    rows = np.flatnonzero(mask).tolist()
    shown = places(path, rows[:N_SHOWN])
    noun = shown[0].split()[0]
    more = ", ..." if len(rows) > N_SHOWN else ""
    return f"{noun if len(rows) == 1 else noun + 's'} {', '.join(place.split()[1] for place in shown)}{more}"
