"""What a store is: versions of a space written from batches, and requests answered from one of them.

A request is a sum of parts (a vector over a block, weighted terms, passages) and of scores that are known beforehand.
A store gives the best rows of each part and the exact scores of any rows; `answering.py` makes an answer of both, the
same for every store. Rows are the numbers of the items in a version, from 0.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from antiphon.errors import ConfigError, StoreError
from antiphon.query.columns import FieldType
from antiphon.stores.filters import Check

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
PASSAGES = "passages"
"""What a part is over that looks at the passages of items; the best passage of an item counts."""
NAME = re.compile(r"[a-z][a-z0-9_]{0,23}")
VERSION = re.compile(r"[0-9a-z]{1,24}")
MISSING = np.float32(-1)
"""What an item without passages scores where passages are asked, as in `channels/passages.py`."""
PAIRS = ("types", "blocks", "kept")


@dataclass(frozen=True)
class Shape:
    """What a version holds.

    `types`: fields that filters use. `blocks`: name -> length of the vectors that are searched by inner product.
    `kept`: the same of vectors that are only read by row. `terms`: kinds of weighted terms. `flags`: names of marks
    that items have. `passages`: length of the passages' vectors, 0 for none. `notes`: small values to find again, as
    JSON takes them.
    """

    n_items: int
    types: Mapping[str, FieldType] = field(default_factory=dict)
    blocks: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)
    terms: Sequence[str] = ()
    flags: Sequence[str] = ()
    passages: int = 0
    notes: Mapping[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """The shape as JSON takes it; mappings as pairs, since columns are numbered in their order."""
        pairs = {name: [list(pair) for pair in getattr(self, name).items()] for name in PAIRS}
        rest = {"n_items": self.n_items, "passages": self.passages, "notes": dict(self.notes)}
        return {**pairs, **rest, "terms": list(self.terms), "flags": list(self.flags)}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Shape:
        """The shape that `plain` was made of."""
        found: dict[str, Any] = {name: dict(value) if name in PAIRS else value for name, value in plain.items()}
        return cls(**{**found, "terms": tuple(found["terms"]), "flags": tuple(found["flags"])})


@dataclass(frozen=True)
class Ragged:
    """Lists of items one after another: item i has values[bounds[i]:bounds[i + 1]].

    `values`: (n, length) vectors, or (n,) weights of the terms `ids`, (n,) int64.
    """

    bounds: Rows
    values: Floats
    ids: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def of(self, place: int) -> slice:
        """Where the values of one item are."""
        return slice(int(self.bounds[place]), int(self.bounds[place + 1]))


@dataclass(frozen=True)
class Batch:
    """Items `start`, `start` + 1, ... of a version.

    `fields`: what an item's fields say, as Python values, None left out. `vectors`: of blocks and of what is kept,
    (n, length) float32 each. `terms`: by kind. `flags`: (n,) bool each.
    """

    start: int
    item_ids: Sequence[str]
    titles: Sequence[str]
    fields: Sequence[Mapping[str, Any]]
    vectors: Mapping[str, Floats]
    terms: Mapping[str, Ragged]
    flags: Mapping[str, Mask]
    passages: Ragged | None = None

    def __len__(self) -> int:
        return len(self.item_ids)


@dataclass(frozen=True)
class Part:
    """One part of a request: inner products with `vectors`, or with `weights` of the terms `ids`, times `scale`.

    `over`: a block, a kind of terms, or `PASSAGES`. `vectors`: (1, length) float32; over passages (n, length), the
    whole of a text and its sentences. `channel`: whose share of the score it is.
    """

    channel: str
    over: str
    vectors: Floats | None = None
    ids: Rows | None = None
    weights: Floats | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class Wanted:
    """A request, as a store answers it.

    `known`: scores that are known beforehand, by channel: rows and what is added to them. `where`: a filter; `flag`: a
    mark that answers have. `hidden`: rows that are no answers. `last`: rows that are answers only where there are too
    few others. `depth`: candidates of each part; where it reaches the number of items the answer is exact.
    """

    parts: Sequence[Part]
    k: int
    depth: int
    where: Check | None = None
    flag: str | None = None
    hidden: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    last: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    known: Mapping[str, tuple[Rows, Floats]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ranking:
    """An answer: `rows` and `scores`, (n,), best first, equal scores by row; what each part gave, (n_parts, n).

    `known`: what was known beforehand, by channel, (n,). The score is the sum of all.
    """

    rows: Rows
    scores: Floats
    parts: Floats
    known: Mapping[str, Floats]

    def shares(self, wanted: Wanted) -> dict[str, Floats]:
        """What each channel gave, (n,) float32; the sum over the channels is the score."""
        found = {name: values.copy() for name, values in self.known.items()}
        for part, values in zip(wanted.parts, self.parts, strict=True):
            found[part.channel] = found.get(part.channel, np.float32(0)) + values
        return found


@dataclass(frozen=True)
class Narrowed:
    """The rows that a search may find: those that pass `where`, have the mark `flag`, and are not in `without`."""

    where: Check | None = None
    flag: str | None = None
    without: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


class Version(ABC):
    """A version that is open: it answers until it is closed, whatever version is switched to."""

    shape: Shape

    @abstractmethod
    def nearest(self, parts: Sequence[Part], n: int, narrowed: Narrowed) -> list[Rows]:
        """For each part its n best rows, in any order; fewer where fewer may be found or have a term of the part."""

    @abstractmethod
    def scores(self, parts: Sequence[Part], rows: Rows) -> Floats:
        """Exact scores of rows, (n_parts, n_rows) float32: 0 where an item has none of the terms."""

    @abstractmethod
    def first(self, n: int, narrowed: Narrowed) -> Rows:
        """The first n rows, ascending; fewer where there are fewer."""

    @abstractmethod
    def passing(self, rows: Rows, narrowed: Narrowed) -> Rows:
        """Those of the rows that may be found, ascending."""

    @abstractmethod
    def vectors(self, name: str, rows: Rows) -> Floats:
        """Vectors of a block, or of what is kept, (n_rows, length) float32."""

    @abstractmethod
    def passages(self, rows: Rows) -> Ragged:
        """The vectors of the passages of items."""

    @abstractmethod
    def fetch(self, rows: Rows) -> list[dict[str, Any]]:
        """`item_id`, `title` and `fields` of items."""

    @abstractmethod
    def count(self, name: str, narrowed: Narrowed) -> dict[Any, int]:
        """How many items that may be found have each value of a field; text is folded, dates are seconds."""

    def close(self) -> None:  # noqa: B027  one that holds nothing gives nothing back
        """Give back what it holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Store(ABC):
    """A place where versions of a space are kept. `name`: of the space; several may share a place."""

    options: ClassVar[type[BaseModel]]
    """What [store] takes for it, beside `kind` and `name`."""

    @classmethod
    @abstractmethod
    def open(cls, name: str, options: Any, folder: Path) -> Self:
        """The store of a space; `folder` is where one that needs a folder has its own, below a run.

        Raises:
            StoreError: it cannot be reached.
        """

    @abstractmethod
    def write(self, version: str, shape: Shape, batches: Iterable[Batch]) -> None:
        """Write a version; it is there when all of it is. What was written of it before is replaced."""

    @abstractmethod
    def switch(self, version: str) -> None:
        """Make a version the current one, in one step."""

    @abstractmethod
    def current(self) -> str | None:
        """The current version; None before the first."""

    @abstractmethod
    def versions(self) -> list[str]:
        """Versions that are whole, the oldest first."""

    @abstractmethod
    def version(self, version: str) -> Version:
        """A version to ask.

        Raises:
            StoreError: it is not there, or the store cannot be reached.
        """

    @abstractmethod
    def drop(self, version: str) -> None:
        """Remove a version, or what a write that was killed has left of it; nothing where there is none."""

    @abstractmethod
    def check(self) -> None:
        """Say whether it answers.

        Raises:
            StoreError: it does not.
        """

    def close(self) -> None:  # noqa: B027  one that holds nothing gives nothing back
        """Give back what it holds."""


def checked_name(name: str, pattern: re.Pattern[str] = NAME) -> str:
    """A name that tables and folders may have, with a version short enough for PostgreSQL (63 signs).

    Raises:
        ConfigError: it has other signs than small letters, digits and underscores, or is too long.
    """
    if not pattern.fullmatch(name):
        raise ConfigError(f"a store cannot call anything {name!r}: take small letters, digits and _, a letter first.")
    return name


def no_version(version: str, there: Sequence[str]) -> StoreError:
    """What is said of a version that a store does not have."""
    said = f"it has {', '.join(there)}" if there else "it has none"
    return StoreError(f"the store has no version {version} of this space ({said}); write it with: antiphon store RUN")
