"""Titles that are written nearly like some words: they share most groups of three letters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ENOUGH = 0.5
"""Share of the groups of letters that a title must have."""
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class NearTitles:
    """Titles by their groups of letters. `rows`: group -> rows of titles that have it; `sizes`: (n,) groups of each."""

    rows: Mapping[str, Rows]
    sizes: NDArray[np.float64]

    @classmethod
    def of(cls, titles: Sequence[str]) -> NearTitles:
        """Of folded titles."""
        found: dict[str, list[int]] = defaultdict(list)
        sizes = np.ones(len(titles))
        for row, title in enumerate(titles):
            groups = groups_of(title)
            sizes[row] = max(1, len(groups))
            for group in groups:
                found[group].append(row)
        return cls({group: np.array(held) for group, held in found.items()}, sizes)

    def find(self, words: str, k: int = 50) -> list[tuple[int, int]]:
        """(place, row) of the titles that have at least half of the groups of some words; the nearest have place 0."""
        groups = groups_of(words)
        shared = np.zeros(len(self.sizes))
        for group in groups:
            if group in self.rows:
                shared[self.rows[group]] += 1
        share = shared / max(1, len(groups))
        rows = np.flatnonzero(share >= ENOUGH)
        # Of two titles with the same groups the one with fewer others is nearer.
        near = np.round(share[rows] + 0.1 * shared[rows] / self.sizes[rows], 2)
        best = np.argsort(-near, kind="stable")[:k]
        places = {value: place for place, value in enumerate(sorted(set(near[best].tolist()), reverse=True))}
        return [(places[value], int(row)) for value, row in zip(near[best].tolist(), rows[best], strict=True)]


def groups_of(text: str) -> set[str]:
    """Groups of three letters of a text; a word begins with a blank, so that beginnings count."""
    padded = " " + " ".join(text.split()) + " "
    return {padded[at : at + 3] for at in range(len(padded) - 2)}
