"""Matrix factorization whose users are folded in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from antiphon.channels.taste import USUAL
from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.protocols import Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import BY_PROFILE, Floats, ScoringSystem
from antiphon.numbers.factorization import Setting, factorize
from antiphon.numbers.random_search import log_uniform


class IALS(ScoringSystem):
    """Weighted matrix factorization (Hu, Koren, Volinsky 2008): a profile is folded in, and scored by inner product."""

    def __init__(self, data: RunData, setting: Setting, name: str = "ials") -> None:
        self.name = name
        self.factors = factorize(data.matrix, setting, data.config.seed)
        self.known = data.popularity > 0

    def scores(self, task: Task) -> Floats:
        """x_u . y_i, with x_u of equation 4."""
        users = self.factors.fold_in(list(zip(task.profiles, task.weights, strict=True)))
        return np.where(self.known, users @ self.factors.items.T, -np.inf).astype(np.float32)


def baselines(data: RunData) -> Sequence[Baseline]:
    """The factorization with few factors and with many, where the run has interactions."""
    if data.catalog.interactions is None:
        return []

    return [_of(data, "ials", USUAL, (32, 64, 96, 128)), _of(data, "ials-256", replace(USUAL, factors=256), (256,), 4)]


def _of(data: RunData, name: str, usual: Setting, factors: Sequence[int], most: int | None = None) -> Baseline:
    def draw(rng: np.random.Generator) -> dict[str, float]:
        return {
            "factors": int(rng.choice(np.asarray(factors))), "alpha": log_uniform(rng, 0.1, 40),
            "regularization": log_uniform(rng, 0.1, 300), "iterations": int(rng.integers(8, 21)),
        }  # fmt: skip

    return Baseline(name, BY_PROFILE, asdict(usual), draw, lambda values: IALS(data, Setting(**values), name), most)
