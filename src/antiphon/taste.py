"""Taste: item factors that keep their norms, so that a history is answered by inner products.

Cosine over item factors forgets how popular an item is; histories of warm users are answered better by the models'
own scores. Two linear models are kept, each as factors whose inner product is the score:

- iALS (Hu et al. 2008): the user's factors are folded in, the score is x_u . y_i;
- EASE (Steck 2019, equation 8): scores are the user's row times B; a truncated singular value decomposition
  B ~ L R^T turns them into (sum of L over the history) . R_i.

Hyperparameters are chosen on the validation users.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon import storage
from antiphon.config import SpaceConfig
from antiphon.encoders.collaborative import (
    CollaborativeOptions,
    History,
    Setting,
    draw_settings,
    factorize,
    fold_in,
    held_out_score,
    search_settings,
    user_item_matrix,
)
from antiphon.progress import Progress
from antiphon.splits import HeldOut

Floats = NDArray[np.float32]
EASE_PENALTIES = (50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 4000.0)
OVERSAMPLING, POWER_STEPS = 32, 4
"""Of the truncated singular value decomposition: columns beyond the rank, and passes that sharpen the subspace."""
EASE_ITEMS = 8_000
"""EASE inverts a dense matrix over the items: it is fitted on this many of the most used ones."""
USUAL = Setting(factors=128, alpha=12.0, regularization=100.0, iterations=15)
RANGES: Mapping[str, Any] = {"factors": (64, 96, 128), "alpha": (2.0, 30.0), "regularization": (10.0, 200.0)}
"""Scores that keep their norms want a stronger regularization than neighbours by cosine: the search is near it."""
ARRAYS = ("ials", "ease", "ease_left")


@dataclass(frozen=True)
class Taste:
    """Item factors of both models, and what turns a history into vectors of the same length.

    `ials`: (n_items, factors) float32. `ease`: (n_items, rank) float32, the right factors; `ease_left`: (n_items,
    rank) float32. Rows of items without interactions are zeros.
    """

    ials: Floats
    setting: Setting
    ease: Floats
    ease_left: Floats

    @cached_property
    def gram(self) -> Floats:
        """Y'Y of the iALS factors, which every folding in needs."""
        gram: Floats = np.asarray(self.ials).T @ np.asarray(self.ials)
        return gram

    def embed(self, histories: Sequence[History]) -> dict[str, Floats]:
        """Vectors of histories by block, each (n, length of the block) float32."""
        left = [np.asarray(self.ease_left[rows]).sum(axis=0) for rows, _ in histories]
        ease = np.stack(left) if left else np.zeros((0, self.ease.shape[1]), dtype=np.float32)
        return {
            "ials": fold_in(np.asarray(self.ials), self.gram, self.setting, histories),
            "ease": ease.astype(np.float32),
        }

    def save(self, folder: Path) -> list[Path]:
        """Write the factors and the setting; returns the paths."""
        for name in ARRAYS:
            storage.write_array(folder / f"{name}.npy", getattr(self, name))
        storage.write_json(folder / "setting.json", asdict(self.setting))
        return self.paths(folder)

    @staticmethod
    def paths(folder: Path) -> list[Path]:
        """The files that `save` writes."""
        return [*(folder / f"{name}.npy" for name in ARRAYS), folder / "setting.json"]

    def blocks(self) -> dict[str, Floats]:
        """Item vectors by block, those with at least one dimension."""
        both = {"ials": np.asarray(self.ials), "ease": np.asarray(self.ease)}
        return {name: block for name, block in both.items() if block.shape[1]}

    @classmethod
    def load(cls, folder: Path) -> Taste:
        """Read what `save` wrote; the factors are memory-mapped."""
        arrays = {name: storage.read_array(folder / f"{name}.npy", mmap=True) for name in ARRAYS}
        return cls(setting=Setting(**storage.read_json(folder / "setting.json")), **arrays)


def fit_taste(
    interactions: Any, check: HeldOut, n_items: int, config: SpaceConfig, *, seed: int, table: Path, progress: Progress
) -> Taste:
    """Fit both models on training interactions, with the settings that are best on the held-out users `check`."""
    matrix = user_item_matrix(interactions, n_items)
    known = np.asarray(matrix.getnnz(axis=0) > 0)

    def score(setting: Setting) -> float:
        items = factorize(matrix, setting, seed).items
        return held_out_score(fold_in(items, items.T @ items, setting, _histories(check)) @ items.T, check)

    settings = [USUAL, *draw_settings(CollaborativeOptions(trials=config.taste_trials, **RANGES), seed)[1:]]
    best = search_settings(settings, score, table, name="searching taste", progress=progress, skip=not len(check.users))
    items = np.where(known[:, None], factorize(matrix, best, seed).items, 0).astype(np.float32)
    left, right = _fit_ease(matrix, check, config.ease_rank, progress)
    return Taste(items, best, right, left)


def ease_weights(matrix: Any, penalty: float) -> NDArray[np.float64]:
    """The item-item weights of EASE, (n_items, n_items): B = I - P diag(1 / diag(P)), P = (X'X + penalty I)^-1."""
    binary = (matrix > 0).astype(np.float64)
    gram = np.asarray((binary.T @ binary).todense())
    gram[np.diag_indices(len(gram))] += penalty
    inverse = np.linalg.inv(gram)
    weights: NDArray[np.float64] = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def truncated_svd(matrix: NDArray[np.float64], rank: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The leading singular vectors and values, (n, rank), (rank,), (rank, m): Halko et al. 2011, algorithm 5.1.

    The subspace comes from their algorithm 4.4 with a fixed start. scipy's `svds` starts again from random vectors of
    its own, whatever seed it is given, and gave other factors in each process.
    """
    size = min(*matrix.shape, rank + OVERSAMPLING)
    start = matrix @ np.random.default_rng(0).normal(size=(matrix.shape[1], size))
    basis = np.linalg.qr(start)[0]
    for _ in range(POWER_STEPS):
        basis = np.linalg.qr(matrix @ np.linalg.qr(matrix.T @ basis)[0])[0]
    left, values, right = np.linalg.svd(basis.T @ matrix, full_matrices=False)
    return (basis @ left)[:, :rank], values[:rank], right[:rank]


def _fit_ease(matrix: Any, check: HeldOut, rank: int, progress: Progress) -> tuple[Floats, Floats]:
    n_items = matrix.shape[1]
    used = np.sort(np.argsort(-matrix.getnnz(axis=0), kind="stable")[:EASE_ITEMS])
    rank = min(rank, len(used) - 1)
    empty = np.zeros((n_items, 0), dtype=np.float32)
    if rank < 1 or matrix.nnz == 0:
        return empty, empty
    small = matrix[:, used]
    place = np.full(n_items, -1)
    place[used] = np.arange(len(used))
    best: tuple[float, NDArray[np.float64]] | None = None
    with progress("fitting EASE", len(EASE_PENALTIES)) as advance:
        for penalty in EASE_PENALTIES if len(check.users) else (500.0,):
            weights = ease_weights(small, penalty)
            score = _score_ease(weights, check, place) if len(check.users) else 0.0
            if best is None or score > best[0]:
                best = (score, weights)
            advance(1)
    assert best is not None  # noqa: S101  there is at least one penalty
    left, values, right = truncated_svd(best[1], rank)
    root = np.sqrt(values)
    sides = np.zeros((2, n_items, rank), dtype=np.float32)
    sides[0, used], sides[1, used] = left * root, right.T * root
    return sides[0], sides[1]


def _score_ease(weights: NDArray[np.float64], check: HeldOut, place: NDArray[np.int64]) -> float:
    n_items = len(place)
    used = np.flatnonzero(place >= 0)
    scores = np.zeros((len(check.users), n_items), dtype=np.float32)
    for row, profile in enumerate(check.profiles):
        known = place[profile]
        scores[row, used] = weights[known[known >= 0]].sum(axis=0)
    return held_out_score(scores, check)


def _histories(check: HeldOut) -> list[History]:
    return [(rows, np.ones(len(rows), dtype=np.float32)) for rows in check.profiles]
