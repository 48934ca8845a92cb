"""Vectors and words fused: by ranks, and by scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.baselines.bm25 import BM25
from antiphon.evaluate.protocols import Kind, Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import Floats, ScoringSystem, System, hide_profiles, raw_systems
from antiphon.numbers.random_search import log_uniform


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


def baselines(data: RunData) -> Sequence[Baseline]:
    """The text modality and the space's joint vectors, each fused with BM25 in both ways."""
    raw = raw_systems(data)
    modalities = data.space.manifest["modalities"]
    text = next((name for name in data.modalities if modalities[name]["accepts"] == "text"), "")
    pairs: list[tuple[str, str | None]] = [(name, None) for name in (text, "joint") if name]
    if text and len(data.descriptions.views) > 1:
        pairs += [(f"{text}-{view}", view) for view in data.descriptions.views]
    return [make(name, raw[name], data, view) for name, view in pairs for make in (_by_ranks, _by_scores)]


def _by_ranks(name: str, make: Callable[[], System], data: RunData, view: str | None) -> Baseline:
    parts, fused = cache(lambda: [make(), BM25(data.words(view))]), f"{name}+bm25-rrf"
    return Baseline(
        fused,
        ("retrieve",),
        {"k": 60.0},
        lambda rng: {"k": log_uniform(rng, 1, 500)},
        lambda values: RankFusion(fused, parts(), values["k"]),
    )


def _by_scores(name: str, make: Callable[[], System], data: RunData, view: str | None) -> Baseline:
    parts, fused = cache(lambda: [make(), BM25(data.words(view))]), f"{name}+bm25"
    return Baseline(
        fused,
        ("retrieve",),
        {"dense": 0.5},
        lambda rng: {"dense": round(float(rng.uniform(0, 1)), 4)},
        lambda values: ScoreFusion(fused, parts(), [values["dense"], 1 - values["dense"]]),
    )
