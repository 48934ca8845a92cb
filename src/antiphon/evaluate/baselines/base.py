"""What a baseline is: a system with hyperparameters, which validation users or queries choose among."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from antiphon.evaluate.protocols import Kind
from antiphon.evaluate.systems import System
from antiphon.numbers.random_search import Settings


@dataclass(frozen=True)
class Baseline:
    """A system to hold the space against: the usual settings (tried first), how to draw others, and how to make it.

    `most`: the most settings that are tried, for a system that takes long to fit; None where all trials are.
    """

    name: str
    kinds: tuple[Kind, ...]
    usual: Settings
    draw: Callable[[np.random.Generator], Settings]
    make: Callable[[Settings], System]
    most: int | None = None

    @property
    def tunable(self) -> bool:
        """Whether there is anything to choose."""
        return bool(self.usual)

    def trials(self, trials: int) -> int:
        """How many settings are tried where `trials` are asked for."""
        return min(trials, self.most or trials) if self.tunable else 0
