"""The names channel: items that a request asks for by name come first."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from antiphon.channels.base import ByLines, Floats, Resolved

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
