"""Item neighbours: who liked this also liked that."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.baselines.ease import refuse_large
from antiphon.evaluate.protocols import Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import BY_PROFILE, Floats, ScoringSystem
from antiphon.numbers.random_search import log_uniform


class ItemNeighbours(ScoringSystem):
    """Cosine between the users of items, shrunk where few are shared (Sarwar et al. 2001; Bell and Koren 2007).

    s_ij = n_ij / (sqrt(n_i n_j) + shrinkage); each item keeps its `neighbours` nearest. A profile's score is the sum. A
    user with n items counts n ** -`histories`, in n_ij and in n_i.

    Raises:
        ConfigError: the catalog is too large for a dense matrix.
    """

    def __init__(
        self, data: RunData, shrinkage: float, neighbours: int, histories: float = 0.0, name: str = "item-knn"
    ) -> None:
        refuse_large(data)
        self.name = name
        self.known = data.popularity > 0
        binary = data.matrix.copy()
        binary.data = np.ones_like(binary.data)
        lengths = np.maximum(np.asarray(binary.sum(axis=1)), 1)
        counts = np.asarray((binary.T @ binary.multiply(lengths**-histories).tocsr()).toarray(), dtype=np.float32)
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


def baselines(data: RunData) -> Sequence[Baseline]:
    """Item neighbours, where the run has interactions."""
    if data.catalog.interactions is None:
        return []

    def draw(rng: np.random.Generator) -> dict[str, float]:
        shrinkage = log_uniform(rng, 0.1, 1000)
        return {"shrinkage": shrinkage, "neighbours": int(rng.choice([20, 50, 100, 200, 500, 10**6]))}

    usual = {"shrinkage": 10.0, "neighbours": 200}
    return [Baseline("item-knn", BY_PROFILE, usual, draw, lambda values: ItemNeighbours(data, **values))]
