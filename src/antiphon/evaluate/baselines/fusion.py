"""Systems made of others: fused ranks, fused scores, and modalities side by side without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from antiphon.evaluate.protocols import Kind, Task
from antiphon.evaluate.systems import BY_PROFILE, Floats, Neighbours, ScoringSystem, System, hide_profiles
from antiphon.numbers.vectors import unit


class RankFusion(ScoringSystem):
    """Reciprocal rank fusion (Cormack, Clarke and Buettcher 2009): sum over systems of 1 / (k + rank)."""

    def __init__(self, name: str, systems: Sequence[System], k: float = 60.0) -> None:
        self.name, self.systems, self.k = name, systems, k
        self.kinds: Sequence[Kind] = _shared_kinds(systems)

    def scores(self, task: Task) -> Floats:
        """Fused scores; an item that no system ranks has 0."""
        total = np.zeros((len(task), task.n_items), dtype=np.float32)
        gains = (1.0 / (self.k + 1.0 + np.arange(task.n_items))).astype(np.float32)
        for system in self.systems:
            rows = system.rank(task, task.n_items)
            query, rank = np.nonzero(rows >= 0)
            total[query, rows[query, rank]] += gains[rank]
        return total


class ScoreFusion(ScoringSystem):
    """Weighted sum of scores, each system's brought to mean 0 and variance 1 for each query."""

    def __init__(self, name: str, systems: Sequence[System], weights: Sequence[float]) -> None:
        self.name, self.systems, self.weights = name, systems, tuple(weights)
        self.kinds: Sequence[Kind] = _shared_kinds(systems)

    def scores(self, task: Task) -> Floats:
        """Fused scores."""
        parts = [
            np.float32(weight) * standardised(hide_profiles(system.scores(task), task))
            for system, weight in zip(self.systems, self.weights, strict=True)
        ]
        return np.asarray(np.sum(parts, axis=0), dtype=np.float32)


class Concatenation(ScoringSystem):
    """Unit blocks of raw vectors side by side, each with a weight: the mean of a profile against every item.

    The inner product of two such vectors is the weighted sum of the blocks' own; nothing is trained.
    """

    kinds: Sequence[Kind] = BY_PROFILE

    def __init__(self, name: str, blocks: Mapping[str, Floats], weights: Mapping[str, float]) -> None:
        scaled = [np.float32(np.sqrt(weights[key])) * block for key, block in blocks.items() if weights[key] > 0]
        self.name, self.inner = name, Neighbours(name, unit(np.concatenate(scaled, axis=1)))

    def scores(self, task: Task) -> Floats:
        """Cosines of the concatenated vectors."""
        return self.inner.scores(task)


def standardised(scores: Floats) -> Floats:
    """Each row to mean 0 and variance 1 over its finite values; others get the row's least, (n, n_items) float32."""
    finite = np.isfinite(scores)
    count = np.maximum(finite.sum(axis=1, keepdims=True), 1)
    known = np.where(finite, scores, 0).astype(np.float64)
    mean = known.sum(axis=1, keepdims=True) / count
    spread = np.sqrt((np.where(finite, known - mean, 0) ** 2).sum(axis=1, keepdims=True) / count)
    result = (known - mean) / np.where(spread > 0, spread, 1)
    least = np.where(finite, result, np.inf).min(axis=1, keepdims=True)
    return np.where(finite, result, np.where(np.isfinite(least), least, 0)).astype(np.float32)


def _shared_kinds(systems: Sequence[System]) -> tuple[Kind, ...]:
    return tuple(kind for kind in systems[0].kinds if all(kind in system.kinds for system in systems))
