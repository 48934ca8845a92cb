"""EASE as published: a linear item-to-item model in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.errors import ConfigError
from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.protocols import Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import BY_PROFILE, Floats, ScoringSystem
from antiphon.numbers.ease import ease_weights
from antiphon.numbers.random_search import log_uniform

MAX_DENSE_ITEMS = 20_000
"""EASE and item neighbours hold an (n_items, n_items) matrix; this many take 1.6 GB of float32."""


class EASE(ScoringSystem):
    """The model of Steck 2019, equation 8, without what the space's own adds; see `numbers.ease.ease_weights`.

    Raises:
        ConfigError: the catalog is too large for a dense matrix.
    """

    def __init__(self, data: RunData, regularization: float) -> None:
        refuse_large(data)
        self.name = "ease"
        self.known = data.popularity > 0
        self.weights = ease_weights(data.matrix, regularization)[1].astype(np.float32)

    def scores(self, task: Task) -> Floats:
        """Sum of the profile's rows of B."""
        found = np.stack([self.weights[rows].sum(axis=0) for rows in task.profiles])
        return np.where(self.known, found, -np.inf).astype(np.float32)


def refuse_large(data: RunData) -> None:
    """Refuse a catalog that a dense matrix would not fit.

    Raises:
        ConfigError: it has too many items.
    """
    if (n_items := data.catalog.n_items) > MAX_DENSE_ITEMS:
        raise ConfigError(
            f"the catalog has {n_items:,} items; EASE and item-knn hold a dense matrix and take at most "
            f"{MAX_DENSE_ITEMS:,}. Use --system ials."
        )


def baselines(data: RunData) -> Sequence[Baseline]:
    """EASE, where the run has interactions."""
    if data.catalog.interactions is None:
        return []
    return [
        Baseline(
            "ease",
            BY_PROFILE,
            {"regularization": 300.0},
            lambda rng: {"regularization": log_uniform(rng, 10, 20_000)},
            lambda values: EASE(data, **values),
        )
    ]
