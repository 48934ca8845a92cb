"""Raw vectors of several modalities side by side, without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.protocols import Kind, Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import BY_PROFILE, Floats, Neighbours, ScoringSystem, mean_of_views
from antiphon.numbers.vectors import unit


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


def baselines(data: RunData) -> Sequence[Baseline]:
    """All modalities, and those that are not made of interactions, where these are several."""
    content = [name for name in data.modalities if data.encoder_of(name) != "als"]
    found = [_of("concat", data, data.modalities)] if len(data.modalities) > 1 else []
    if 1 < len(content) < len(data.modalities):
        found.append(_of("concat-content", data, content))
    return found


def _of(name: str, data: RunData, modalities: list[str]) -> Baseline:
    blocks = cache(lambda: {modality: mean_of_views(data.features(modality)) for modality in modalities})

    def draw(rng: np.random.Generator) -> dict[str, float]:
        shares = rng.dirichlet(np.ones(len(modalities)))
        return {modality: round(float(share), 4) for modality, share in zip(modalities, shares, strict=True)}

    equal = {modality: round(1 / len(modalities), 4) for modality in modalities}
    return Baseline(name, BY_PROFILE, equal, draw, lambda values: Concatenation(name, blocks(), values))
