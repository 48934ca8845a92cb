"""Where the heavy work of a build runs: in this process, or on an engine of many, which is found by its name.

An engine does two things: it encodes parts of what there is to encode, in any order, and it factorizes interactions.
What it gives takes the place of what this process would have made; nothing else of a build knows of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from antiphon.base.registry import find

Floats = NDArray[np.float32]
HERE = "local"
"""The name of this process."""
SPARK = ("local[", "yarn", "k8s://")
"""Beginnings of masters that are Spark's, beside "spark://"."""


@dataclass(frozen=True)
class Encoding:
    """What encodes texts, or files by their names, as a process elsewhere can make it.

    `maker`: "module:function", which is called with `settings`, plain values for JSON, and returns a function from
    inputs to vectors, (n, dim) float32. `name`: what is said while it runs.
    """

    maker: str
    settings: Mapping[str, Any]


class BuildEngine(Protocol):
    """Processes on this or other machines."""

    name: str
    """The name that it is registered under."""

    def encoded(self, encoding: Encoding, parts: Sequence[Sequence[str]]) -> Iterator[tuple[int, Floats]]:
        """The number of each part and its vectors, in any order, each when it is done.

        Raises:
            RunError: a part could not be encoded, after it was tried again.
        """
        ...

    def factorized(
        self, matrix: Any, *, factors: int, alpha: float, regularization: float, iterations: int, seed: int
    ) -> Floats:
        """Item factors, (n_items, factors) float32, of a sparse (n_users, n_items) matrix of weights."""
        ...

    def running(self) -> AbstractContextManager[None]:
        """A block at whose end nothing is left that the engine has started inside of it."""
        ...


def engine_of(engine: str, settings: Mapping[str, str]) -> BuildEngine | None:
    """The engine that [build] names; None for this process.

    Raises:
        ConfigError: there is no such engine.
    """
    if engine == HERE:
        return None
    name = "spark" if engine.startswith(SPARK) else engine.partition("://")[0]
    found: BuildEngine = find("antiphon.engines", name)(engine, settings)
    return found
