"""Choosing the items of a playlist: greedy, with limits per field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from antiphon.playlist.request import Tradeoff
from antiphon.query.columns import words_of

Floats = NDArray[np.float32]


class Limits:
    """Counts of field values in a list, and whether one more item still fits."""

    def __init__(self, max_per: Mapping[str, int]) -> None:
        self.max_per = dict(max_per)
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in self.max_per}
        self.titles: set[str] = set()

    def allows(self, title: str, fields: Mapping[str, object]) -> bool:
        """Whether the item can be added: its title is new, and no value of it is used up."""
        return title.casefold() not in self.titles and all(
            self.counts[name][value] < most
            for name, most in self.max_per.items()
            for value in _values(fields.get(name))
        )

    def add(self, title: str, fields: Mapping[str, object]) -> None:
        """Count an item."""
        self.titles.add(title.casefold())
        for name in self.max_per:
            self.counts[name].update(_values(fields.get(name)))


def choose(
    vectors: Floats,
    fit: Floats,
    described: Sequence[tuple[str, Mapping[str, object]]],
    length: int,
    tradeoff: Tradeoff,
    limits: Limits,
    given: Floats,
) -> list[int]:
    """Positions of the chosen candidates, in the order they were taken.

    `vectors`: (n, dim) float32, unit L2. `fit`: (n,) from 0 to 1. `described`: title and fields of each candidate.
    `given`: (m, dim), items that are in the list already. Equal gains go to the earlier candidate.
    """
    total = np.zeros(len(vectors), dtype=np.float32)
    nearest = np.full(len(vectors), -1.0, dtype=np.float32)
    n_taken = 0
    for vector in given:
        n_taken = _meet(vectors @ vector, total, nearest, n_taken)
    open_ = np.ones(len(vectors), dtype=bool)
    chosen: list[int] = []
    while len(chosen) < length and open_.any():
        gain = tradeoff.relevance * fit
        if n_taken:
            gain = gain + tradeoff.coherence * total / n_taken - tradeoff.diversity * nearest
        best = int(np.argmax(np.where(open_, gain, -np.inf)))
        open_[best] = False
        title, fields = described[best]
        if not limits.allows(title, fields):
            continue
        limits.add(title, fields)
        chosen.append(best)
        n_taken = _meet(vectors @ vectors[best], total, nearest, n_taken)
    return chosen


def _meet(sims: Floats, total: Floats, nearest: Floats, n_taken: int) -> int:
    total += sims
    np.maximum(nearest, sims, out=nearest)
    return n_taken + 1


def _values(value: object) -> set[str]:
    return {word.casefold() for word in words_of(value)}
