"""What is asked of Qdrant, in words of our own: the embedded engine and the client of a server say them differently."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.stores.contract import PASSAGES, Floats, Narrowed, Part, Rows, Shape
from antiphon.stores.filters import Between, Check, Either, Every, Holds, Opposite, Present, is_number

TITLE, ITEM, FIELDS, MARKS = "title", "item_id", "fields", "marks"
"""Keys of a point's payload beside those of `fields_of`, which filters use."""


@dataclass(frozen=True)
class Nearest:
    """One search of a version: a vector, or weighted terms, over a named vector."""

    using: str
    vector: list[float] | None
    terms: tuple[list[int], list[float]] | None
    where: Any
    limit: int
    exact: bool

    @property
    def many(self) -> bool:
        """Whether an item has many vectors there, of which the best counts."""
        return self.using == PASSAGES


class Dialect(ABC):
    """How conditions are written."""

    @abstractmethod
    def both(self, must: Sequence[Any] = (), should: Sequence[Any] = (), must_not: Sequence[Any] = ()) -> Any:
        """All of `must`, one of `should` where there are any, none of `must_not`."""

    @abstractmethod
    def any_of(self, key: str, values: Sequence[str]) -> Any:
        """One of these words."""

    @abstractmethod
    def lies(self, key: str, ends: Mapping[str, float]) -> Any:
        """A number in a range; `ends`: gt, gte, lt, lte."""

    @abstractmethod
    def empty(self, key: str) -> Any:
        """No value."""

    @abstractmethod
    def rows(self, rows: Rows) -> Any:
        """One of these points."""


class Engine(ABC):
    """A version that is open."""

    dialect: Dialect

    @abstractmethod
    def query(self, searches: Sequence[Nearest]) -> list[list[tuple[int, float]]]:
        """Rows and scores of each search."""

    @abstractmethod
    def scroll(self, n: int, where: Any, keys: Sequence[str] = ()) -> list[tuple[int, dict[str, Any]]]:
        """The first n points by row, with some of their payload."""

    @abstractmethod
    def facet(self, key: str, where: Any) -> dict[str, int]:
        """How many points have each word."""

    @abstractmethod
    def payloads(self, rows: Rows) -> dict[int, dict[str, Any]]:
        """What is known of points, by row."""

    @abstractmethod
    def vectors(self, name: str, rows: Rows) -> dict[int, Any]:
        """Their vectors of a name, by row; a list for each passage."""

    @abstractmethod
    def close(self) -> None:
        """Give it back."""


def fields_of(shape: Shape) -> dict[str, str]:
    """Field -> key of the payload with its values."""
    return {name: f"f{number}" for number, name in enumerate(shape.types)}


def searches(parts: Sequence[Part], where: Any, limit: int, *, exact: bool) -> list[tuple[int, Nearest]]:
    """The searches of some parts, each with the place of its part: one for each vector, one for terms."""
    found = []
    for place, part in enumerate(parts):
        if part.ids is not None and part.weights is not None:
            terms = (part.ids.tolist(), part.weights.tolist())
            found.append((place, Nearest(part.over, None, terms, where, limit, exact)))
        found += [(place, Nearest(part.over, one.tolist(), None, where, limit, exact)) for one in _vectors(part)]
    return found


def condition(narrowed: Narrowed, shape: Shape, dialect: Dialect, among: Rows | None = None) -> Any:
    """The filter of a search; `among`: only these rows."""
    must = [] if among is None else [dialect.rows(among)]
    if narrowed.flag is not None:
        must.append(dialect.any_of(MARKS, [narrowed.flag]))
    if narrowed.where is not None:
        must.append(_condition(narrowed.where, shape, dialect))
    return dialect.both(must=must, must_not=[dialect.rows(narrowed.without)] if len(narrowed.without) else [])


def _vectors(part: Part) -> Sequence[Floats]:
    return () if part.vectors is None else list(part.vectors)


def _condition(check: Check, shape: Shape, dialect: Dialect) -> Any:  # noqa: PLR0911  one kind of test a line
    if isinstance(check, Opposite):
        return dialect.both(must_not=[_condition(check.part, shape, dialect)])
    if isinstance(check, Every):
        return dialect.both(must=[_condition(part, shape, dialect) for part in check.parts])
    if isinstance(check, Either):
        return dialect.both(should=[_condition(part, shape, dialect) for part in check.parts])
    key = fields_of(shape)[check.name]
    if isinstance(check, Present):
        return dialect.both(must_not=[dialect.empty(key)])
    if isinstance(check, Between):
        return dialect.lies(key, _ends(check))
    if is_number(shape.types[check.name]):
        return dialect.both(should=[dialect.lies(key, {"gte": value, "lte": value}) for value in _numbers(check)])
    return dialect.any_of(key, [str(value) for value in check.values])


def _ends(check: Between) -> dict[str, float]:
    low, high = ("gt", "lt") if check.strict else ("gte", "lte")
    return {name: end for name, end in ((low, check.low), (high, check.high)) if end is not None}


def _numbers(check: Holds) -> list[float]:
    return [float(value) for value in check.values]
