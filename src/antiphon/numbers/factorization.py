"""Weighted matrix factorization by alternating least squares, folding in, and the search of its hyperparameters.

Hu, Koren, Volinsky 2008: minimise sum_ui c_ui (p_ui - x_u . y_i)^2 + reg (|x|^2 + |y|^2), p = 1 where the user has the
item, with the confidence c = 1 + alpha * weight there and 1 elsewhere. `implicit` solves it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime
from antiphon.base.progress import Progress
from antiphon.numbers.engine import BuildEngine
from antiphon.numbers.random_search import log_uniform, scored

Floats = NDArray[np.float32]
History = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Item rows and their weights."""
SHORTER, FEWEST, FINALISTS = 3, 3, 3
"""A search tries a third of the iterations, and no fewer than three; so many settings are then tried in full."""
MOST_SEARCHED = 2_000_000
"""Interactions that settings are tried on; what is found is fitted to all."""


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


def factorize(matrix: Any, setting: Setting, seed: int, engine: BuildEngine | None = None) -> Factors:
    """Fit item factors to a (n_users, n_items) matrix of weights; the same seed gives the same factors.

    `engine`: where they are fitted, this process where None. Histories are folded in as ever.
    """
    if engine is not None:
        return Factors(engine.factorized(matrix, **asdict(setting), seed=seed), setting)
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


def draw_settings(ranges: Ranges, seed: int, usual: Setting | None = None) -> list[Setting]:
    """The settings that a search tries: the usual one first (the default inside the ranges), then random ones."""
    rng = np.random.default_rng([seed, 4])
    usual = usual or Setting(
        factors=min(ranges.factors, key=lambda value: abs(value - 128)),
        alpha=float(np.clip(5.0, *ranges.alpha)),
        regularization=float(np.clip(1.0, *ranges.regularization)),
        iterations=int(np.clip(15, *ranges.iterations)),
    )
    drawn = [
        Setting(
            factors=int(rng.choice(np.asarray(ranges.factors))),
            alpha=log_uniform(rng, *ranges.alpha),
            regularization=log_uniform(rng, *ranges.regularization),
            iterations=int(rng.integers(ranges.iterations[0], ranges.iterations[1] + 1)),
        )
        for _ in range(ranges.trials - 1)
    ]
    return [usual, *drawn]


def to_search(matrix: Any, seed: int) -> Any:
    """The (n_users, n_items) matrix, or those of its users, drawn at random, that have about `MOST_SEARCHED` of it."""
    n_users = matrix.shape[0]
    n_kept = round(n_users * MOST_SEARCHED / max(1, matrix.nnz))
    if n_kept >= n_users:
        return matrix
    return matrix[np.sort(np.random.default_rng([seed, 6]).permutation(n_users)[:n_kept])]


def search_settings(
    settings: Sequence[Setting], score: Callable[[Setting], float], table: Path, *, name: str, progress: Progress
) -> Setting:
    """The setting with the best score, of those that lead after a part of their iterations (successive halving).

    Jamieson and Talwalkar 2016: what is far behind early does not win in the end. `table` keeps both kinds of trials;
    see `random_search.scored`.
    """

    def scores(tried: Sequence[Setting], part: str) -> list[float]:
        rows = [asdict(setting) for setting in tried]
        return scored(rows, lambda row: score(Setting(**row)), table, name=f"{name}{part}", progress=progress)

    short, leading = list[Setting](), list(settings)
    if len(settings) > 2 * FINALISTS:
        least = [max(FEWEST, setting.iterations // SHORTER) for setting in settings]
        short = [
            replace(setting, iterations=min(n, setting.iterations)) for setting, n in zip(settings, least, strict=True)
        ]
        order = np.argsort(-np.asarray(scores(short, "")), kind="stable")
        # In the order in which they were drawn: of equal ones the first is taken.
        leading = [settings[place] for place in sorted(order[:FINALISTS])]
    values = scores([*short, *leading], ", the leading ones" if short else "")
    return leading[int(np.argmax(values[len(short) :]))]
