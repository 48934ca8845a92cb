"""The passages channel: the text encoder's own cosines with everything that is written of an item.

An item may have many texts: its description, a plot, a review, lyrics. Each is a view of its own, cut into passages
where it is long, and the passage that fits best counts. A request of several sentences is met twice: as a whole, and
by the best of its sentences, since a memory of a plot has few that tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.base.wording import SENTENCE_END
from antiphon.channels.base import ByLines, Estimates, Resolved, Rows, spread_to_one
from antiphon.data.features import Features
from antiphon.numbers.codes import LARGE
from antiphon.numbers.rough import Rough
from antiphon.numbers.vectors import best_met, lists_of

Floats = NDArray[np.float32]
MAX_SENTENCES, MIN_WORDS = 16, 4
"""Sentences of a request that are read, and words that one has at least."""
SAMPLE, MOST_SAMPLED = 4_096, 8_192
"""Items whose passages tell how far the scores of a text spread, where they are many; and most of these passages."""
TOGETHER = 32
"""Texts and sentences that meet the passages at once."""


def sampled(searchable: NDArray[np.bool_], n: int | None = None) -> NDArray[np.int64]:
    """Rows of n items that can be found (`SAMPLE` where not given), ascending: all where there are no more."""
    rows, wanted = np.flatnonzero(searchable), SAMPLE if n is None else n
    return np.sort(np.random.default_rng(0).choice(rows, min(wanted, len(rows)), replace=False)).astype(np.int64)


def spread_of(covariance: NDArray[np.float64], text: Floats) -> float:
    """The standard deviation of a text's cosines with vectors of this covariance."""
    return float(np.sqrt(max(0.0, float(text.astype(np.float64) @ covariance @ text))))


def sentences_of(text: str) -> list[str]:
    """The sentences of a request; none where it has only one."""
    found = [piece for piece in SENTENCE_END.split(text) if len(piece.split()) >= MIN_WORDS]
    return found[:MAX_SENTENCES] if len(found) > 1 else []


@dataclass(frozen=True)
class Passages:
    """Vectors of passages: item i has vectors[bounds[i]:bounds[i + 1]], (n, in) float32, unit L2."""

    vectors: Floats
    bounds: NDArray[np.int64]
    rough: Rough | None = None
    """The vectors in eight bits, where they are many: what leads by these is scored exactly."""

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
        return self._best_of(texts @ self.vectors.T)

    def nearly_best(self, texts: Floats) -> Floats:
        """As `best`, by eight bits."""
        assert self.rough is not None  # noqa: S101  asked where there are some
        return self._best_of(self.rough.products(texts))

    def _best_of(self, met: Floats) -> Floats:
        starts, counts = self.bounds[:-1], np.diff(self.bounds)
        some = counts > 0
        if counts.max(initial=0) > 1:
            met = np.maximum.reduceat(met, starts[some], axis=1)
        if some.all():
            return met
        result: Floats = np.full((len(met), len(starts)), -1, dtype=np.float32)
        result[:, some] = met
        return result

    def nearest(self, texts: Floats) -> Floats:
        """Cosine of each text with the nearest passage of all items, (n_texts,) float32; -1 where there is none."""
        if self.rough is None:
            found: Floats = self.best(texts).max(axis=1, initial=-1)
            return found
        met, most_off = self.rough.products(texts), self.rough.most_off(texts)
        leading = [np.flatnonzero(line >= line.max() - 2 * off) for line, off in zip(met, most_off, strict=True)]
        exact = [self.vectors[rows] @ text for rows, text in zip(leading, texts, strict=True)]
        return np.array([products.max() for products in exact], dtype=np.float32)

    def scores(self, text: Floats, sentences: Floats) -> Floats:
        """Of one request: `text` (in,), `sentences` (n, in); (n_items,) float32 from -1 to 1."""
        return best_met(self.best(np.concatenate([text[None], sentences]) if len(sentences) else text[None]))

    def scores_of(self, texts: Floats, sentences: Sequence[Floats], *, nearly: bool = False) -> Iterator[Floats]:
        """As `scores`, of many requests: some are met together, since reading all passages costs more than products.

        `nearly`: by eight bits.
        """
        start, best = 0, self.nearly_best if nearly else self.best
        while start < len(texts):
            end, n_rows = start, 0
            while end < len(texts) and (not n_rows or n_rows + 1 + len(sentences[end]) <= TOGETHER):
                n_rows += 1 + len(sentences[end])
                end += 1
            parts = [part for place in range(start, end) for part in (texts[place][None], sentences[place])]
            found = best(np.concatenate([part for part in parts if len(part)]))
            ends = np.cumsum([1 + len(sentences[place]) for place in range(start, end)])
            yield from (best_met(part) for part in np.split(found, ends[:-1]))
            start = end

    def of_rows(self, rows: NDArray[Any]) -> Passages:
        """The passages of some items."""
        places, bounds = lists_of(self.bounds, rows)
        return Passages(np.asarray(self.vectors)[places], bounds)

    @property
    def n_passages(self) -> int:
        """Number of passages of all items."""
        return int(self.bounds[-1])

    def first(self, row: int) -> Passages:
        """The first passage of one item alone: its description."""
        start, end = self.bounds[row], min(self.bounds[row] + 1, self.bounds[row + 1])
        return Passages(self.vectors[start:end], np.array([0, end - start]))

    def save(self, folder: Path) -> None:
        """Write as npy."""
        storage.write_array(folder / "vectors.npy", self.vectors)
        storage.write_array(folder / "bounds.npy", self.bounds)

    @classmethod
    def load(cls, folder: Path, rough: Path | None = None) -> Passages:
        """Read what `save` wrote; the vectors are memory-mapped. `rough`: the folder of their eight bits."""
        vectors, bounds = (
            storage.read_array(folder / "vectors.npy", mmap=True),
            storage.read_array(folder / "bounds.npy"),
        )
        return cls(vectors, bounds, None if rough is None else Rough(rough, len(vectors)))


class PassagesChannel(ByLines):
    """The best passage of each item, in standard deviations over the items that can be found.

    Where items or passages are many, the standard deviation is that of `SAMPLE` items, no line is made for some rows,
    and all items have estimates before those that lead have exact scores.
    """

    name = "passages"
    voices: tuple[str, ...] = ("passages",)

    def __init__(self, passages: Passages, searchable: NDArray[np.bool_]) -> None:
        self.passages, self.searchable = passages, searchable

    @classmethod
    def of(cls, space: Any) -> Self | None:
        """That of a space with passages."""
        return None if space.passages is None else cls(space.passages, space.searchable)

    @property
    def costs(self) -> int:
        """Bytes that are read for the scores of an item."""
        return 4 * int(self.passages.vectors.size) // max(1, len(self.searchable))

    @property
    def large(self) -> bool:
        """Whether a sample tells the standard deviation."""
        return max(len(self.searchable), self.passages.n_passages) > LARGE

    def lines(self, resolved: Resolved) -> Floats:
        """Weighted standard scores; zeros for requests without a text."""
        weights = resolved.weights[self.name]
        result = np.zeros((len(resolved), len(self.searchable)), dtype=np.float32)
        asked = np.flatnonzero(weights)
        if len(asked) and resolved.texts is not None:
            sentences = [resolved.sentences[place] for place in asked.tolist()]
            found = list(self.passages.scores_of(resolved.texts[asked], sentences))
            if not self.large:
                result[asked] = weights[asked, None] * spread_to_one(np.stack(found), self.searchable)
            else:
                result[asked] = np.stack(found) * self.scales(resolved)[asked, None]
        return result

    def scores(self, resolved: Resolved, rows: Rows | None) -> Floats:
        """As `ByLines.scores`; in a large catalog no line is made for some rows."""
        if not self.large or rows is None:
            return super().scores(resolved, rows)
        result, scales = np.zeros((len(resolved), len(rows)), dtype=np.float32), self.scales(resolved)
        some = self.passages.of_rows(rows) if scales.any() else None
        for place in np.flatnonzero(scales).tolist():
            assert some is not None  # noqa: S101  read where one is asked
            result[place] = scales[place] * best_met(some.best(self.vectors_of(resolved, place)))
        return result

    def estimates(self, resolved: Resolved) -> Estimates | None:
        """Scores by eight bits; None where there are none."""
        rough = self.passages.rough
        if rough is None or resolved.texts is None:
            return None
        scales, n_items = self.scales(resolved), len(self.searchable)
        scores, most_off = np.zeros((len(resolved), n_items), dtype=np.float32), np.zeros(len(resolved), np.float32)
        asked = np.flatnonzero(scales).tolist()
        texts, sentences = resolved.texts[asked], [resolved.sentences[place] for place in asked]
        for place, found in zip(asked, self.passages.scores_of(texts, sentences, nearly=True), strict=True):
            scores[place] = scales[place] * found
            most_off[place] = abs(scales[place]) * rough.most_off(self.vectors_of(resolved, place)).max()
        return Estimates(scores, most_off)

    def vectors_of(self, resolved: Resolved, place: int) -> Floats:
        """Those of a request's text and of its sentences, (1 + n_sentences, in) float32."""
        assert resolved.texts is not None  # noqa: S101  its weight is 0 without one
        return np.concatenate([resolved.texts[place][None], resolved.sentences[place]])

    def scales(self, resolved: Resolved) -> Floats:
        """What a cosine counts in each request: its weight over the spread in the sample, 0 where none is asked."""
        return np.array(resolved.kept(f"{self.name} scales", lambda: self._made_scales(resolved)), dtype=np.float32)

    def _made_scales(self, resolved: Resolved) -> list[float]:
        result, weights = [0.0] * len(resolved), resolved.weights[self.name].tolist()
        asked = np.flatnonzero(weights).tolist()
        if resolved.texts is None or not asked:
            return result
        spreads: dict[int, float] = {}
        if (covariance := self._covariance) is not None:
            texts = {place: resolved.texts[place] for place in asked if not len(resolved.sentences[place])}
            spreads = {place: spread_of(covariance, text) for place, text in texts.items()}
        rest = [place for place in asked if place not in spreads]
        sentences = [resolved.sentences[place] for place in rest]
        for place, found in zip(rest, self._sample.scores_of(resolved.texts[rest], sentences), strict=True):
            spreads[place] = float(found.std())
        for place, spread in spreads.items():
            result[place] = weights[place] / spread if spread else 0.0
        return result

    @cached_property
    def _covariance(self) -> NDArray[np.float64] | None:
        """That of the sample's passages; None where an item has none or several, of which the best counts."""
        if (np.diff(self._sample.bounds) != 1).any():
            return None
        return np.atleast_2d(np.cov(self._sample.vectors.T.astype(np.float64), bias=True))

    @cached_property
    def _sample(self) -> Passages:
        each = self.passages.n_passages / max(1, len(self.searchable))
        return self.passages.of_rows(sampled(self.searchable, min(SAMPLE, int(MOST_SAMPLED / max(each, 1)) + 1)))
