"""The passages channel: the text encoder's own cosines with everything that is written of an item.

An item may have many texts: its description, a plot, a review, lyrics. Each is a view of its own, cut into passages
where it is long, and the passage that fits best counts. A request of several sentences is met twice: as a whole, and
by the best of its sentences, since a memory of a plot has few that tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.base.wording import SENTENCE_END
from antiphon.channels.base import ByLines, Resolved, spread_to_one
from antiphon.data.features import Features

Floats = NDArray[np.float32]
MAX_SENTENCES, MIN_WORDS, BEST = 16, 4, 3
"""Sentences of a request that are read, words that one has at least, and how many of the best count."""


def sentences_of(text: str) -> list[str]:
    """The sentences of a request; none where it has only one."""
    found = [piece for piece in SENTENCE_END.split(text) if len(piece.split()) >= MIN_WORDS]
    return found[:MAX_SENTENCES] if len(found) > 1 else []


@dataclass(frozen=True)
class Passages:
    """Vectors of passages: item i has vectors[bounds[i]:bounds[i + 1]], (n, in) float32, unit L2."""

    vectors: Floats
    bounds: NDArray[np.int64]

    @classmethod
    def of(cls, features: Sequence[Features]) -> Passages:
        """All views of all items, item after item."""
        masks = np.concatenate([part.mask for part in features])
        matrix = np.concatenate([np.asarray(part.matrix) for part in features])
        bounds = np.concatenate([[0], np.cumsum(masks.sum(axis=0))]).astype(np.int64)
        vectors: Floats = np.ascontiguousarray(matrix.transpose(1, 0, 2)[masks.T], dtype=np.float32)
        return cls(vectors, bounds)

    def best(self, texts: Floats) -> Floats:
        """Cosine of each text with the best passage of each item, (n_texts, n_items) float32; -1 for items without."""
        starts, some = self.bounds[:-1], np.diff(self.bounds) > 0
        result: Floats = np.full((len(texts), len(starts)), -1, dtype=np.float32)
        if some.any():
            result[:, some] = np.maximum.reduceat(texts @ self.vectors.T, starts[some], axis=1)
        return result

    def scores(self, text: Floats, sentences: Floats) -> Floats:
        """Of one request: `text` (in,), `sentences` (n, in); (n_items,) float32 from -1 to 1."""
        whole: Floats = self.best(text[None])[0]
        if not len(sentences):
            return whole
        leading = np.sort(self.best(sentences), axis=0)[-BEST:]
        both: Floats = (whole + leading.mean(axis=0)) / np.float32(2)
        return both

    def first(self, row: int) -> Passages:
        """The first passage of one item alone: its description."""
        start, end = self.bounds[row], min(self.bounds[row] + 1, self.bounds[row + 1])
        return Passages(self.vectors[start:end], np.array([0, end - start]))

    def save(self, folder: Path) -> None:
        """Write as npy."""
        storage.write_array(folder / "vectors.npy", self.vectors)
        storage.write_array(folder / "bounds.npy", self.bounds)

    @classmethod
    def load(cls, folder: Path) -> Passages:
        """Read what `save` wrote; the vectors are memory-mapped."""
        return cls(storage.read_array(folder / "vectors.npy", mmap=True), storage.read_array(folder / "bounds.npy"))


class PassagesChannel(ByLines):
    """The best passage of each item, in standard deviations over the items that can be found."""

    name = "passages"
    voices: tuple[str, ...] = ("passages",)

    def __init__(self, passages: Passages, searchable: NDArray[np.bool_]) -> None:
        self.passages, self.searchable = passages, searchable

    @classmethod
    def of(cls, space: Any) -> Self | None:
        """That of a space with passages."""
        return None if space.passages is None else cls(space.passages, space.searchable)

    def lines(self, resolved: Resolved) -> Floats:
        """Weighted standard scores; zeros for requests without a text."""
        weights = resolved.weights[self.name]
        result = np.zeros((len(resolved), len(self.searchable)), dtype=np.float32)
        asked = np.flatnonzero(weights)
        if len(asked) and resolved.texts is not None:
            found = [self.passages.scores(resolved.texts[place], resolved.sentences[place]) for place in asked.tolist()]
            result[asked] = weights[asked, None] * spread_to_one(np.stack(found), self.searchable)
        return result
