"""Weighted matrix factorization (implicit ALS), folding in, and the search of its hyperparameters."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime, storage
from antiphon.base.progress import Progress
from antiphon.numbers.metrics import METRIC

Floats = NDArray[np.float32]
History = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Item rows and their weights."""


@dataclass(frozen=True)
class Setting:
    """Hyperparameters of one factorization."""

    factors: int
    alpha: float
    regularization: float
    iterations: int


@dataclass(frozen=True)
class Factors:
    """A fitted factorization: `items` (n_items, factors) float32, and what folding in a user needs."""

    items: Floats
    setting: Setting

    def fold_in(self, histories: Sequence[History]) -> Floats:
        """User factors of new histories, (n, factors) float32: the least squares step of the paper (equation 4)."""
        return fold_in(self.items, self.items.T @ self.items, self.setting, histories)


def fold_in(items: Floats, gram: Floats, setting: Setting, histories: Sequence[History]) -> Floats:
    """User factors x = (Y'Y + Y'(C - I)Y + reg I)^-1 Y'C p for each history (Hu et al. 2008, equation 4)."""
    base = gram.astype(np.float64) + setting.regularization * np.eye(len(gram))
    users = np.zeros((len(histories), len(gram)))
    for row, (rows, weights) in enumerate(histories):
        vectors = np.asarray(items[rows], dtype=np.float64)
        confidence = 1 + setting.alpha * weights.astype(np.float64)
        matrix = base + (vectors * (confidence - 1)[:, None]).T @ vectors
        users[row] = np.linalg.solve(matrix, vectors.T @ confidence)
    return users.astype(np.float32)


def factorize(matrix: Any, setting: Setting, seed: int) -> Factors:
    """Fit item factors to a (n_users, n_items) matrix of weights; the same seed gives the same factors."""
    confidence = matrix.copy()
    confidence.data = (1 + setting.alpha * confidence.data).astype(np.float32)
    als = runtime.implicit_als()
    with runtime.one_blas_thread():
        model = als.AlternatingLeastSquares(
            factors=setting.factors,
            regularization=setting.regularization,
            iterations=setting.iterations,
            random_state=seed,
            num_threads=runtime.n_cores(),
        )
        model.fit(confidence, show_progress=False)
    return Factors(np.asarray(model.item_factors, dtype=np.float32), setting)


@dataclass(frozen=True)
class Ranges:
    """What a search may try: choices of factors, and ranges that include both ends, drawn on a log scale."""

    trials: int
    factors: Sequence[int]
    alpha: tuple[float, float]
    regularization: tuple[float, float]
    iterations: tuple[int, int] = (8, 20)


def draw_settings(options: Ranges, seed: int, usual: Setting | None = None) -> list[Setting]:
    """The settings that a search tries: the usual one first (the default inside the ranges), then random ones."""
    rng = np.random.default_rng([seed, 4])

    def log_uniform(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    usual = usual or Setting(
        factors=min(options.factors, key=lambda value: abs(value - 128)),
        alpha=float(np.clip(5.0, *options.alpha)),
        regularization=float(np.clip(1.0, *options.regularization)),
        iterations=int(np.clip(15, *options.iterations)),
    )
    drawn = [
        Setting(
            factors=int(rng.choice(np.asarray(options.factors))),
            alpha=log_uniform(*options.alpha),
            regularization=log_uniform(*options.regularization),
            iterations=int(rng.integers(options.iterations[0], options.iterations[1] + 1)),
        )
        for _ in range(options.trials - 1)
    ]
    return [usual, *drawn]


def search_settings(
    settings: Sequence[Setting],
    score: Callable[[Setting], float],
    table: Path,
    *,
    name: str,
    progress: Progress,
    skip: bool = False,
) -> Setting:
    """The setting with the best score; `table` keeps each score, so a killed search goes on with its next trial.

    With `skip` (nobody to score on) it is the first one.
    """
    if skip:
        return settings[0]
    scores = _read_scores(table, settings)
    with progress(name, len(settings)) as advance:
        advance(len(scores))
        for setting in settings[len(scores) :]:
            scores.append(score(setting))
            rows = [{**asdict(tried), METRIC: got} for tried, got in zip(settings, scores, strict=False)]
            storage.write_text(table, "".join(json.dumps(row) + "\n" for row in rows))
            advance(1)
    return settings[int(np.argmax(scores))]


def _read_scores(table: Path, settings: Sequence[Setting]) -> list[float]:
    if not table.is_file():
        return []
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    return [float(row[METRIC]) for row in rows[: len(settings)]]
