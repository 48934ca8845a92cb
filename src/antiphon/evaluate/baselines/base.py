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
    """A system to hold the space against: the usual settings (tried first), how to draw others, and how to make it."""

    name: str
    kinds: tuple[Kind, ...]
    usual: Settings
    draw: Callable[[np.random.Generator], Settings]
    make: Callable[[Settings], System]
