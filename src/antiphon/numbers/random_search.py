"""Random search over settings, with a table of trials on disk: one that was killed goes on with its next trial."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from antiphon.base import storage
from antiphon.base.progress import Progress
from antiphon.numbers.metrics import METRIC

Settings = Mapping[str, Any]
T = TypeVar("T")
CHECK = "check"
"""Key of a trial's checksum in the table."""


def best_of(
    settings: Sequence[Settings], score: Callable[[Settings], float], table: Path, *, name: str, progress: Progress
) -> Settings:
    """The settings with the highest score, of equal ones the first; see `scored`."""
    return settings[int(np.argmax(scored(settings, score, table, name=name, progress=progress)))]


def scored(
    settings: Sequence[Settings], score: Callable[[Settings], float], table: Path, *, name: str, progress: Progress
) -> list[float]:
    """The score of each of the settings; `table` keeps a JSON line per trial.

    Trials of the table count as long as they are of the same settings in the same order, and their lines are those that
    were written: each has a checksum.
    """
    scores = _read(table, settings)
    with progress(name, len(settings)) as advance:
        advance(len(scores))
        for setting in settings[len(scores) :]:
            scores.append(score(setting))
            rows = [{**tried, METRIC: got} for tried, got in zip(settings, scores, strict=False)]
            storage.write_text(table, "".join(json.dumps({**row, CHECK: _check(row)}) + "\n" for row in rows))
            advance(1)
    return scores


def uphill(values: Sequence[float], tried: Callable[[float], tuple[float, T]]) -> T:
    """What comes with the best score, where scores rise to one value and fall behind it: from the middle upwards.

    `values`: in order. `tried`: the score of a value and what comes with it, asked at most once for each.
    """
    found = {place: tried(values[place]) for place in {(len(values) - 1) // 2, len(values) // 2}}
    best = max(sorted(found), key=lambda place: found[place][0])
    while fresh := [place for place in (best - 1, best + 1) if place not in found and 0 <= place < len(values)]:
        found |= {place: tried(values[place]) for place in fresh}
        best = max(sorted(found), key=lambda place: found[place][0])
    return found[best][1]


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between two, uniform on a log scale."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _read(table: Path, settings: Sequence[Settings]) -> list[float]:
    if not table.is_file():
        return []
    scores = []
    lines = table.read_bytes().decode("utf-8", errors="replace").splitlines()
    for line, setting in zip(lines, settings, strict=False):
        row = _row(line)
        if row is None or {key: value for key, value in row.items() if key != METRIC} != _plain(setting):
            break
        scores.append(float(row[METRIC]))
    return scores


def _row(line: str) -> dict[str, Any] | None:
    """A line that was written here, without its checksum; None for any other."""
    try:
        row: dict[str, Any] = json.loads(line)
        return row if row.pop(CHECK) == _check(row) and METRIC in row else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _check(row: Mapping[str, Any]) -> str:
    return storage.digest("trial", _plain(row))[:16]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON has them: lists for tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(values))
    return plain
