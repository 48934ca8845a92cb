"""The lookup that nobody trained: values of the catalog that a request names, counted in each item."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from antiphon.channels.dictionary import Dictionary
from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.baselines.bm25 import BM25
from antiphon.evaluate.protocols import Kind, Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import Floats, ScoringSystem
from antiphon.numbers.random_search import log_uniform


class FacetLookup(ScoringSystem):
    """Items by how many of the values that a request names they have; BM25 decides between equals.

    The truth of requests that were written from tags is a conjunction of such values: this is what the structure alone
    is worth. `words`: what a standard deviation of BM25 counts, where one value counts 1.
    """

    kinds: Sequence[Kind] = ("retrieve",)

    def __init__(self, dictionary: Dictionary, words: BM25, weight: float) -> None:
        self.name, self.dictionary, self.words, self.weight = "facet-lookup", dictionary, words, weight

    def scores(self, task: Task) -> Floats:
        """Counts of values, and a little BM25."""
        counts = np.stack([self.dictionary.scores(text) for text in task.texts])
        words = self.words.scores(task)
        spread = words.std(axis=1, keepdims=True)
        return (counts + self.weight * words / np.where(spread > 0, spread, 1)).astype(np.float32)


def baselines(data: RunData) -> Sequence[Baseline]:
    """The lookup, where items have values to name."""
    if not data.catalog.field_types:
        return []
    parts = cache(lambda: (data.space.dictionary, BM25(data.words())))
    return [
        Baseline(
            "facet-lookup",
            ("retrieve",),
            {"weight": 0.001},
            lambda rng: {"weight": log_uniform(rng, 0.001, 2)},
            lambda values: FacetLookup(*parts(), values["weight"]),
        )
    ]
