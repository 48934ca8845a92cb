"""What the codes of a large space find for a text: joint vectors and passages in one scan.

The best of the sum of two channels are not all among the best of each, and two scans cost twice as much. So the codes
of texts have three things of an item side by side: its joint vector, the mean of its passages in the directions in
which passages differ most, and how many know it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.channels.base import Allowed, Resolved, Rows
from antiphon.channels.near import beside_popularity
from antiphon.channels.passages import Passages, PassagesChannel
from antiphon.numbers.coded import OVER
from antiphon.numbers.codes import Codes, fit_codes

Floats = NDArray[np.float32]
DIRECTIONS, SAMPLE = 128, 20_000
"""Directions of passages that are kept, and passages that they are learned from. Recall@200 of texts, 1,000,000 items:
.985 with 64 directions, .991 with 128."""
NAME, BASIS = "text", "basis.npy"


def basis_of(vectors: Floats) -> Floats:
    """The directions in which (n, length) float32 vectors differ most, (length, directions) float32, orthonormal."""
    rows = np.sort(np.random.default_rng(0).choice(len(vectors), min(SAMPLE, len(vectors)), replace=False))
    sample = np.asarray(vectors[rows], dtype=np.float64)
    directions = np.linalg.eigh(np.cov(sample.T).reshape(sample.shape[1], -1))[1]
    result: Floats = np.ascontiguousarray(directions[:, ::-1][:, :DIRECTIONS], dtype=np.float32)
    return result


class SideBySide:
    """Rows of the joint vectors beside the mean passages of the items in a basis, made when they are asked for.

    `shape`: (n_items, dim + directions). An item without passages has zeros.
    """

    def __init__(self, joint: Floats, passages: Passages, basis: Floats) -> None:
        self.joint, self.passages, self.basis = joint, passages, basis
        self.shape = (len(joint), joint.shape[1] + basis.shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, wanted: Any) -> Floats:
        rows = np.arange(len(self))[wanted]
        some = self.passages.of_rows(rows)
        told = np.concatenate([some.vectors @ self.basis, np.zeros((1, self.basis.shape[1]), dtype=np.float32)])
        lengths = np.diff(some.bounds)
        means = np.add.reduceat(told, some.bounds[:-1], axis=0) / np.maximum(lengths, 1)[:, None]
        means[lengths == 0] = 0
        result: Floats = np.concatenate([np.asarray(self.joint[rows]), means], axis=1).astype(np.float32)
        return result


def write_codes_of_texts(folder: Path, joint: Floats, passages: Passages, popularity: Floats | None) -> None:
    """Learn and write the codes of texts."""
    basis = basis_of(passages.vectors)
    both: Any = SideBySide(joint, passages, basis)
    made, codes = fit_codes(both, popularity)
    made.save(folder, codes)
    storage.write_array(folder / BASIS, basis)


class NearText:
    """Rows that lead by the joint vectors, the passages and popularity together.

    `basis`: (in, directions) float32, of passages. `beside`: whether the codes have popularity.
    """

    names = ("joint", "passages")
    """The channels whose candidates these are."""

    def __init__(self, codes: Codes, basis: Floats, channel: PassagesChannel, *, beside: bool) -> None:
        self.codes, self.basis, self.channel, self.beside = codes, basis, channel, beside

    @classmethod
    def of(cls, space: Any) -> Self | None:
        """That of a space with codes of texts."""
        channel = next((channel for channel in space.channels if isinstance(channel, PassagesChannel)), None)
        if NAME not in space.codes or channel is None:
            return None
        basis = storage.read_array(space.layout.codes / NAME / BASIS)
        return cls(space.codes[NAME], basis, channel, beside=space.taste is not None)

    def asked(self, resolved: Resolved) -> NDArray[np.bool_]:
        """The requests whose texts passages answer, (n_requests,) bool."""
        weights = resolved.weights[self.channel.name]
        return np.asarray(weights > 0 if resolved.texts is not None else np.zeros(len(weights), dtype=bool))

    def candidates(self, resolved: Resolved, n: int, allowed: Allowed | None) -> Rows:
        """About `OVER` times n allowed rows for each request that is asked, as their codes order them."""
        scales = self.channel.scales(resolved)
        met = [self._met(self.channel.vectors_of(resolved, place)) for place in range(len(resolved))]
        vectors = np.concatenate([resolved.vectors["joint"], scales[:, None] * np.stack(met) @ self.basis], axis=1)
        return self.codes.nearest(beside_popularity(vectors, resolved) if self.beside else vectors, OVER * n, allowed)

    @staticmethod
    def _met(vectors: Floats) -> Floats:
        """The text, or the mean of it and of its sentences: nearly what `best_met` makes of their products."""
        result: Floats = vectors[0] if len(vectors) == 1 else (vectors[0] + vectors[1:].mean(axis=0)) / np.float32(2)
        return result
