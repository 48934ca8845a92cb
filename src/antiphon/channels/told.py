"""What the codes of a large space find for a text: joint vectors and passages in one scan.

The best of the sum of two channels are not all among the best of each, and two scans cost twice as much. So the codes
of texts have three things of an item side by side: its joint vector, the mean of its passages, and how many know it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from antiphon.base.layout import CODED
from antiphon.channels.base import Allowed, Resolved, Rows
from antiphon.channels.near import beside_popularity
from antiphon.channels.passages import Passages, PassagesChannel
from antiphon.numbers.coded import OVER
from antiphon.numbers.codes import Codes, Cut, fit_codes

Floats = NDArray[np.float32]
JOINT, PASSAGES = (1 / 8, 1 / 16), (1 / 12, 1 / 12)
"""Shares of the directions of joint vectors and of passages that have a piece each, and of pieces that two share. More
of either found no more of the answers to texts among 1,000,000 items, whose words and facets find most of them."""


class SideBySide:
    """Rows of the joint vectors beside the mean passages of the items, made when they are asked for.

    `shape`: (n_items, dim + length of a passage). An item without passages has zeros.
    """

    def __init__(self, joint: Floats, passages: Passages) -> None:
        self.joint, self.passages = joint, passages
        self.shape = (len(joint), joint.shape[1] + passages.vectors.shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, wanted: Any) -> Floats:
        rows = np.arange(len(self))[wanted]
        some = self.passages.of_rows(rows)
        told = np.concatenate([some.vectors, np.zeros((1, some.vectors.shape[1]), dtype=np.float32)])
        lengths = np.diff(some.bounds)
        means = np.add.reduceat(told, some.bounds[:-1], axis=0) / np.maximum(lengths, 1)[:, None]
        means[lengths == 0] = 0
        result: Floats = np.concatenate([np.asarray(self.joint[rows]), means], axis=1).astype(np.float32)
        return result


def write_codes_of_texts(folder: Path, joint: Floats, passages: Passages, popularity: Floats | None) -> None:
    """Learn and write the codes of texts."""
    both: Any = SideBySide(joint, passages)
    cuts = Cut.of((0, joint.shape[1]), *JOINT), Cut.of((joint.shape[1], both.shape[1]), *PASSAGES)
    made, codes = fit_codes(both, popularity, cuts=cuts)
    made.save(folder, codes)


class NearText:
    """Rows that lead by the joint vectors, the passages and popularity together.

    `beside`: whether the codes have popularity.
    """

    names: tuple[str, ...] = ("joint", "passages")
    """The channels whose candidates these are."""

    def __init__(self, codes: Codes, channel: PassagesChannel, *, beside: bool) -> None:
        self.codes, self.channel, self.beside = codes, channel, beside

    @classmethod
    def of(cls, space: Any) -> Self | None:
        """That of a space with codes of texts."""
        channel = next((channel for channel in space.channels if isinstance(channel, PassagesChannel)), None)
        if CODED[1] not in space.codes or channel is None:
            return None
        return cls(space.codes[CODED[1]], channel, beside=space.taste is not None)

    def asked(self, resolved: Resolved) -> NDArray[np.bool_]:
        """The requests whose texts passages answer, (n_requests,) bool."""
        weights = resolved.weights[self.channel.name]
        return np.asarray(weights > 0 if resolved.texts is not None else np.zeros(len(weights), dtype=bool))

    def candidates(self, resolved: Resolved, n: int, allowed: Allowed | None) -> Rows:
        """About `OVER` times n allowed rows for each request that is asked, as their codes order them."""
        scales = self.channel.scales(resolved)
        met = [self._met(self.channel.vectors_of(resolved, place)) for place in range(len(resolved))]
        vectors = np.concatenate([resolved.vectors["joint"], scales[:, None] * np.stack(met)], axis=1)
        return self.codes.nearest(beside_popularity(vectors, resolved) if self.beside else vectors, OVER * n, allowed)

    def meet(self, one: Resolved, rows: Rows) -> tuple[str, ...]:
        """Nothing: passages are worth reading of some rows only."""
        return ()

    @staticmethod
    def _met(vectors: Floats) -> Floats:
        """The text, or the mean of it and of its sentences: nearly what `best_met` makes of their products."""
        result: Floats = vectors[0] if len(vectors) == 1 else (vectors[0] + vectors[1:].mean(axis=0)) / np.float32(2)
        return result
