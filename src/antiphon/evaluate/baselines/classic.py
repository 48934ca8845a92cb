"""Recommenders without content, to hold the joint space against: iALS with fold-in, EASE, item neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from antiphon.base import runtime
from antiphon.errors import ConfigError
from antiphon.evaluate.protocols import Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import Floats, ScoringSystem
from antiphon.numbers.factorization import Setting, factorize

MAX_DENSE_ITEMS = 20_000
"""EASE and item neighbours hold an (n_items, n_items) matrix; this many take 1.6 GB of float32."""


class IALS(ScoringSystem):
    """Weighted matrix factorization (Hu, Koren, Volinsky 2008): a profile is folded in, and scored by inner product."""

    def __init__(self, data: RunData, setting: Setting) -> None:
        self.name = "ials"
        self.factors = factorize(data.matrix, setting, data.config.seed)
        self.known = data.popularity > 0

    def scores(self, task: Task) -> Floats:
        """x_u . y_i, with x_u of equation 4."""
        users = self.factors.fold_in(list(zip(task.profiles, task.weights, strict=True)))
        return np.where(self.known, users @ self.factors.items.T, -np.inf).astype(np.float32)


class EASE(ScoringSystem):
    """A linear item-to-item model in closed form (Steck 2019, equation 8).

    P = (X'X + lambda I)^-1 with the binary training matrix X; B = I - P / diag(P), with a zero diagonal. The scores
    of a profile x are xB.

    Raises:
        ConfigError: the catalog is too large for a dense matrix.
    """

    def __init__(self, data: RunData, regularization: float) -> None:
        self.name = "ease"
        self.known = data.popularity > 0
        gram = _co_counts(data).astype(np.float64)
        gram[np.diag_indices_from(gram)] += regularization
        inverse = np.linalg.inv(gram)
        self.weights = (-inverse / np.diag(inverse)[None, :]).astype(np.float32)
        np.fill_diagonal(self.weights, 0)

    def scores(self, task: Task) -> Floats:
        """Sum of the profile's rows of B."""
        found = np.stack([self.weights[rows].sum(axis=0) for rows in task.profiles])
        return np.where(self.known, found, -np.inf).astype(np.float32)


class ItemNeighbours(ScoringSystem):
    """Cosine between the users of items, shrunk where few are shared (Sarwar et al. 2001; Bell and Koren 2007).

    s_ij = n_ij / (sqrt(n_i n_j) + shrinkage); each item keeps its `neighbours` nearest. A profile's score is the sum.

    Raises:
        ConfigError: the catalog is too large for a dense matrix.
    """

    def __init__(self, data: RunData, shrinkage: float, neighbours: int) -> None:
        self.name = "item-knn"
        self.known = data.popularity > 0
        counts = _co_counts(data)
        users = np.sqrt(np.diag(counts))
        similar = counts / (np.outer(users, users) + shrinkage + 1e-9)
        np.fill_diagonal(similar, 0)
        if neighbours < len(similar):
            least = -np.partition(-similar, neighbours - 1, axis=1)[:, neighbours - 1 : neighbours]
            similar[similar < least] = 0
        self.similar = similar.astype(np.float32)

    def scores(self, task: Task) -> Floats:
        """Sum over the profile of the similarity to each item."""
        found = np.stack([self.similar[rows].sum(axis=0) for rows in task.profiles])
        return np.where(self.known, found, -np.inf).astype(np.float32)


def _co_counts(data: RunData) -> Any:
    """X'X of the binary training matrix: users that two items share, (n_items, n_items) float32."""
    n_items = data.catalog.n_items
    if n_items > MAX_DENSE_ITEMS:
        raise ConfigError(
            f"the catalog has {n_items:,} items; EASE and item-knn hold a dense matrix and take at most "
            f"{MAX_DENSE_ITEMS:,}. Use --system ials."
        )
    binary = data.matrix.copy()
    binary.data = np.ones_like(binary.data)
    sparse: Any = runtime.scipy_sparse()
    return np.asarray(sparse.csr_matrix(binary.T @ binary).toarray(), dtype=np.float32)
