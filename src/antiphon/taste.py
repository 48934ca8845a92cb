"""Taste: item factors that keep their norms, so that a history is answered by inner products.

Cosine over item factors forgets how popular an item is; histories of warm users are answered better by the models'
own scores. Two linear models are kept, each as factors whose inner product is the score:

- iALS (Hu et al. 2008): the user's factors are folded in, the score is x_u . y_i;
- EASE (Steck 2019, equation 8): scores are the user's row times B; a truncated singular value decomposition
  B ~ L R^T turns them into (sum of L over the history) . R_i. Users with long histories and popular items are held
  back while it is fitted, and a dropout is part of it (see `ease_weights`). The low rank is no loss: it leaves out
  noise, and scores higher than the full matrix.

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
EASE_PENALTIES = (50.0, 100.0, 300.0, 600.0, 1000.0, 2000.0)
USUAL_PENALTY = 500.0
LONG_HISTORIES, POPULAR_ITEMS, DROPOUT = 0.6, 0.2, 0.33
"""Of EASE, chosen on validation users of two catalogs; all are flat around these values."""
OVERSAMPLING, POWER_STEPS = 32, 4
"""Of the truncated singular value decomposition: columns beyond the rank, and passes that sharpen the subspace."""
EASE_ITEMS = 8_000
"""EASE inverts a dense matrix over the items: it is fitted on this many of the most used ones."""
USUAL = Setting(factors=128, alpha=12.0, regularization=100.0, iterations=15)
RANGES: Mapping[str, Any] = {"factors": (64, 96, 128), "alpha": (2.0, 30.0), "regularization": (10.0, 200.0)}
"""Scores that keep their norms want a stronger regularization than neighbours by cosine: the search is near it."""
CHOSEN = (asdict(USUAL), RANGES, EASE_PENALTIES, USUAL_PENALTY, LONG_HISTORIES, POPULAR_ITEMS, DROPOUT)
"""What factors depend on beside data and configuration."""
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
        return {
            "ials": fold_in(np.asarray(self.ials), self.gram, self.setting, histories),
            "ease": _summed(self.ease_left, [rows for rows, _ in histories]),
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

    settings = draw_settings(CollaborativeOptions(trials=config.taste_trials, **RANGES), seed, USUAL)
    best = search_settings(settings, score, table, name="searching taste", progress=progress, skip=not len(check.users))
    fitted = (factorize(matrix, best, seed).items, *_fit_ease(matrix, check, config.ease_rank, progress))
    # Exactly zero, not by rounding: that is how an item that nobody has met is told from the others.
    items, left, right = (np.where(known[:, None], factors, 0).astype(np.float32) for factors in fitted)
    return Taste(items, best, right, left)


def ease_weights(
    matrix: Any, penalty: float, *, histories: float = 0.0, items: float = 0.0, dropout: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """EASE as the weights of items in a history, (n_items,), and the item-item weights B, (n_items, n_items).

    A history h scores (h * item weights) B. With the zeros as they are it is plain EASE: B = I - P diag(1 / diag(P)),
    P = (X'X + penalty I)^-1 (Steck 2019, equation 8). `histories`: a user with n items counts n ** -histories.
    `items`: an item with n users is scaled by n ** -items, in the histories that B is fitted on and in those that it
    scores. `dropout`: the share of a history that is left out at random when B is fitted, in closed form: the penalty
    gains dropout / (1 - dropout) diag(X'X) (Steck 2020, "Autoencoders that don't overfit towards the identity").
    `penalty` counts in interactions of mean weight.
    """
    binary = (matrix > 0).astype(np.float64).tocsr()
    lengths, users = (np.maximum(np.asarray(binary.sum(axis=axis)).ravel(), 1) for axis in (1, 0))
    scale = users**-items
    weighted = binary.multiply((lengths**-histories)[:, None])
    gram = np.asarray((binary.T @ weighted.tocsr()).todense()) * scale * scale[:, None]
    diagonal = np.diag(gram)
    mean = diagonal.sum() / max(1, binary.nnz)
    gram[np.diag_indices(len(gram))] = diagonal + penalty * mean + dropout / (1 - dropout) * diagonal
    inverse = np.linalg.inv(gram)
    weights: NDArray[np.float64] = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return scale, weights


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
    penalties = EASE_PENALTIES if len(check.users) else (USUAL_PENALTY,)
    best: tuple[float, Floats] | None = None
    with progress("fitting EASE", len(penalties)) as advance:
        for penalty in penalties:
            sides = np.zeros((2, n_items, rank), dtype=np.float32)
            sides[:, used] = _ease_factors(small, penalty, rank)
            score = held_out_score(_summed(sides[0], check.profiles) @ sides[1].T, check) if len(check.users) else 0.0
            if best is None or score > best[0]:
                best = (score, sides)
            advance(1)
    assert best is not None  # noqa: S101  there is at least one penalty
    return best[1][0], best[1][1]


def _ease_factors(matrix: Any, penalty: float, rank: int) -> Floats:
    """Left and right factors of EASE at a rank, (2, n_items, rank)."""
    scale, weights = ease_weights(matrix, penalty, histories=LONG_HISTORIES, items=POPULAR_ITEMS, dropout=DROPOUT)
    left, values, right = truncated_svd(weights, rank)
    root = np.sqrt(values)
    return np.stack([scale[:, None] * left * root, right.T * root]).astype(np.float32)


def _summed(left: Floats, histories: Sequence[NDArray[np.int32]]) -> Floats:
    rows = [np.asarray(left[items]).sum(axis=0) for items in histories]
    return np.stack(rows) if rows else np.zeros((0, left.shape[1]), dtype=np.float32)


def _histories(check: HeldOut) -> list[History]:
    return [(rows, np.ones(len(rows), dtype=np.float32)) for rows in check.profiles]
