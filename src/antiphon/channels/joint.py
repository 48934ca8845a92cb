"""The joint channel: inner products in the space that the paper's model joins the modalities in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from antiphon.channels.base import Allowed, Floats, Resolved, Rows, at
from antiphon.numbers.exact import ExactIndex
from antiphon.numbers.vectors import products_at


class JointChannel:
    """Scores by the joint vectors of the items, (n_items, dim) float32, unit L2.

    `parts`: (n_modalities, n_items, dim) float32, the weighted projections that they are the normalised sum of.
    """

    name = "joint"
    voices: tuple[str, ...] = ("joint",)

    def __init__(self, items: Floats, parts: Floats, modalities: Sequence[str]) -> None:
        self.items, self.parts, self.modalities = items, parts, modalities
        self.index = ExactIndex(items)

    @classmethod
    def of(cls, space: Any) -> Self:
        """Every space has joint vectors."""
        return cls(space.items["joint"], space.parts, space.modalities)

    @property
    def costs(self) -> int:
        """Bytes that are read for the scores of an item."""
        return 4 * int(self.items.shape[1])

    def candidates(self, resolved: Resolved, n: int, allowed: Allowed | None) -> Rows:
        """The rows with the highest inner products."""
        return self.index.search(resolved.vectors[self.name], n, allowed=allowed)[0]

    def scores(self, resolved: Resolved, rows: Rows | None) -> Floats:
        """Inner products."""
        if not resolved.vectors[self.name].any():
            return np.zeros((len(resolved), len(self.items) if rows is None else len(rows)), dtype=np.float32)
        if (known := resolved.at_hand(self.name, rows)) is not None:
            return known[None]
        if rows is not None and isinstance(self.items, np.ndarray):
            return products_at(self.items, rows, resolved.vectors[self.name])
        result: Floats = resolved.vectors[self.name] @ at(self.items, rows).T
        return result

    def explain(self, resolved: Resolved, row: int) -> Mapping[str, float]:
        """The share of each modality: a joint vector is a normalised sum, so its inner product is the sum of theirs."""
        parts = np.asarray(self.parts[:, row], dtype=np.float64)
        norm = np.linalg.norm(parts.sum(axis=0)) or 1.0
        products = parts @ resolved.vectors[self.name][0] / norm
        return dict(zip(self.modalities, products.tolist(), strict=True))
