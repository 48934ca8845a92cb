"""The names channel: items that a request asks for by name come first."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from antiphon.channels.base import Allowed, ByLines, Floats, Resolved, Rows, padded
from antiphon.numbers.codes import LARGE

STEP = np.float32(4)
"""What a named item gains at the weight 1, in standard deviations of the other channels."""


class NamesChannel(ByLines):
    """A step for the items that are asked for by name, nothing for others."""

    name = "names"
    voices: tuple[str, ...] = ("names",)

    def __init__(self, n_items: int) -> None:
        self.n_items = n_items

    @classmethod
    def of(cls, space: Any) -> Self:
        """Every space has titles."""
        return cls(space.n_items)

    def lines(self, resolved: Resolved) -> Floats:
        """The step, weighted."""
        result = np.zeros((len(resolved), self.n_items), dtype=np.float32)
        for line, asked, weight in zip(result, resolved.asked, resolved.weights[self.name], strict=True):
            line[asked] = weight * STEP
        return result

    def candidates(self, resolved: Resolved, n: int, allowed: Allowed | None) -> Rows:
        """As `ByLines.candidates`; in a large catalog those that are asked for, and no line is made."""
        if self.n_items <= LARGE:
            return super().candidates(resolved, n, allowed)
        heard = zip(resolved.asked, resolved.weights[self.name] > 0, strict=True)
        asked = [np.unique(rows if speaks else rows[:0])[:n].astype(np.int64) for rows, speaks in heard]
        return padded([rows if allowed is None else rows[allowed[rows]] for rows in asked], n)

    def scores(self, resolved: Resolved, rows: Rows | None) -> Floats:
        """As `ByLines.scores`; for some rows no line is made."""
        if rows is None:
            return super().scores(resolved, rows)
        weights = resolved.weights[self.name]
        steps = [np.isin(rows, asked) * (weight * STEP) for asked, weight in zip(resolved.asked, weights, strict=True)]
        return np.stack(steps).astype(np.float32)
