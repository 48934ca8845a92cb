"""The names channel: items that a request asks for by name come first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from antiphon.channels.base import Allowed, Floats, Resolved, Rows, best_rows

STEP = np.float32(4)
"""What a named item gains at the weight 1, in standard deviations of the other channels."""


class NamesChannel:
    """A step for the items that are asked for by name, nothing for others."""

    name = "names"
    voices: tuple[str, ...] = ("names",)

    def __init__(self, n_items: int) -> None:
        self.n_items = n_items

    @classmethod
    def of(cls, space: Any) -> Self:
        """Every space has titles."""
        return cls(space.n_items)

    def candidates(self, resolved: Resolved, n: int, allowed: Allowed | None) -> Rows:
        """The rows that are named."""
        return best_rows(self.scores(resolved, None), n, allowed)

    def scores(self, resolved: Resolved, rows: Rows | None) -> Floats:
        """The step, weighted."""
        lines = np.zeros((len(resolved), self.n_items), dtype=np.float32)
        for line, asked, weight in zip(lines, resolved.asked, resolved.weights[self.name], strict=True):
            line[asked] = weight * STEP
        return lines if rows is None else lines[:, rows]

    def explain(self, resolved: Resolved, row: int) -> Mapping[str, float]:
        """The step."""
        return {self.name: float(self.scores(resolved, np.array([row]))[0, 0])}
