"""Random search over settings, with a table of trials on disk: one that was killed goes on with its next trial."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.base import storage
from antiphon.base.progress import Progress
from antiphon.numbers.metrics import METRIC

Settings = Mapping[str, Any]


def best_of(
    settings: Sequence[Settings], score: Callable[[Settings], float], table: Path, *, name: str, progress: Progress
) -> Settings:
    """The settings with the highest score, of equal ones the first; `table` keeps a JSON line per trial.

    Trials of the table count as long as they are of the same settings in the same order.
    """
    scores = _read(table, settings)
    with progress(name, len(settings)) as advance:
        advance(len(scores))
        for setting in settings[len(scores) :]:
            scores.append(score(setting))
            rows = [{**tried, METRIC: got} for tried, got in zip(settings, scores, strict=False)]
            storage.write_text(table, "".join(json.dumps(row) + "\n" for row in rows))
            advance(1)
    return settings[int(np.argmax(scores))]


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between two, uniform on a log scale."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _read(table: Path, settings: Sequence[Settings]) -> list[float]:
    if not table.is_file():
        return []
    scores = []
    for row, setting in zip(table.read_text(encoding="utf-8").splitlines(), settings, strict=False):
        value = json.loads(row)
        score = value.pop(METRIC)
        if value != json.loads(json.dumps(setting)):
            break
        scores.append(float(score))
    return scores
