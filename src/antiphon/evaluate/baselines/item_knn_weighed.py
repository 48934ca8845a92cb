"""Item neighbours whose users count less the more they have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.baselines.item_knn import ItemNeighbours
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import BY_PROFILE
from antiphon.numbers.random_search import log_uniform

NAME = "item-knn-weighed"


def baselines(data: RunData) -> Sequence[Baseline]:
    """`ItemNeighbours` with the exponent of a user's length among its settings, where the run has interactions."""
    if data.catalog.interactions is None:
        return []

    def draw(rng: np.random.Generator) -> dict[str, float]:
        return {
            "shrinkage": log_uniform(rng, 0.01, 100), "neighbours": int(rng.choice([20, 50, 100, 200, 500, 10**6])),
            "histories": float(rng.uniform(0, 1)),
        }  # fmt: skip

    usual = {"shrinkage": 1.0, "neighbours": 200, "histories": 0.5}
    return [Baseline(NAME, BY_PROFILE, usual, draw, lambda values: ItemNeighbours(data, **values, name=NAME))]
