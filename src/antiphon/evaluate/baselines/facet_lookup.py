"""The lookup that nobody trained: values of the catalog that a request names, counted in each item."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from antiphon.channels.dictionary import Dictionary, stems_of
from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.baselines.bm25 import BM25
from antiphon.evaluate.protocols import Kind, Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import Floats, ScoringSystem
from antiphon.numbers.random_search import log_uniform

ALL = "all"
"""In place of a field: all of them."""


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


def is_literal(text: str, values: Sequence[str]) -> bool:
    """Whether a text has all words of some values, by their stems; "tag: cult film" is a value of a field."""
    words = set(stems_of(text))
    wanted = [stems_of(value.partition(": ")[2] or value) for value in values]
    return bool(wanted) and all(set(stems) <= words for stems in wanted)


def plain_dictionary(data: RunData, fields: str = ALL) -> Dictionary:
    """The catalog's values without degrees, of all fields or of one."""
    space = data.space
    return Dictionary.of(space.columns, None if fields == ALL else [fields], space.language)


def baselines(data: RunData) -> Sequence[Baseline]:
    """The lookup, where items have values to name: over all fields, or over one of them. It knows no degrees."""
    if not data.catalog.field_types:
        return []
    choices = [ALL, *(name for name, kind in data.space.field_types.items() if kind in ("string", "list"))]
    words = cache(lambda: BM25(data.words()))

    dictionary = cache(lambda fields: plain_dictionary(data, fields))
    return [
        Baseline(
            "facet-lookup",
            ("retrieve",),
            {"weight": 0.001, "fields": ALL},
            lambda rng: {"weight": log_uniform(rng, 0.001, 2), "fields": choices[int(rng.integers(len(choices)))]},
            lambda values: FacetLookup(dictionary(values["fields"]), words(), values["weight"]),
        )
    ]
