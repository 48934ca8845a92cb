"""The joint channel: inner products in the space that the paper's model joins the modalities in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from antiphon.channels.base import Allowed, Floats, Resolved, Rows, at
from antiphon.channels.near import beside_popularity, popularity_of
from antiphon.numbers.coded import CodedIndex
from antiphon.numbers.codes import Codes
from antiphon.numbers.exact import ExactIndex


class JointChannel:
    """Scores by the joint vectors of the items, (n_items, dim) float32, unit L2.

    `parts`: (n_modalities, n_items, dim) float32, the weighted projections that they are the normalised sum of.
    `codes`: of the vectors beside `popularity`, (n_items,) float32, where there are many.
    """

    name = "joint"
    voices: tuple[str, ...] = ("joint",)

    def __init__(
        self,
        items: Floats,
        parts: Floats,
        modalities: Sequence[str],
        codes: Codes | None = None,
        popularity: Floats | None = None,
    ) -> None:
        self.items, self.parts, self.modalities = items, parts, modalities
        self.index = ExactIndex(items) if codes is None else CodedIndex(items, codes, popularity)

    @classmethod
    def of(cls, space: Any) -> Self:
        """Every space has joint vectors."""
        popularity = None if space.taste is None else popularity_of(space.taste.users)
        return cls(space.items["joint"], space.parts, space.modalities, space.codes.get("joint"), popularity)

    @property
    def costs(self) -> int:
        """Bytes that are read for the scores of an item."""
        return 4 * int(self.items.shape[1])

    def candidates(self, resolved: Resolved, n: int, allowed: Allowed | None) -> Rows:
        """The rows with the highest inner products; with codes, those that have them nearly."""
        vectors = resolved.vectors[self.name]
        if not isinstance(self.index, CodedIndex):
            return self.index.search(vectors, n, allowed=allowed)[0]
        return self.index.near(
            vectors if self.index.beside is None else beside_popularity(vectors, resolved), n, allowed
        )

    def scores(self, resolved: Resolved, rows: Rows | None) -> Floats:
        """Inner products."""
        if not resolved.vectors[self.name].any():
            return np.zeros((len(resolved), len(self.items) if rows is None else len(rows)), dtype=np.float32)
        result: Floats = resolved.vectors[self.name] @ at(self.items, rows).T
        return result

    def explain(self, resolved: Resolved, row: int) -> Mapping[str, float]:
        """The share of each modality: a joint vector is a normalised sum, so its inner product is the sum of theirs."""
        parts = np.asarray(self.parts[:, row], dtype=np.float64)
        norm = np.linalg.norm(parts.sum(axis=0)) or 1.0
        products = parts @ resolved.vectors[self.name][0] / norm
        return dict(zip(self.modalities, products.tolist(), strict=True))
