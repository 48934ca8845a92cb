"""Filters as stores take them: six kinds of tests over typed values, with the meaning of `query/filters.py`.

What does not fit the catalog's fields is refused here, with the sentences of a search in memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa

from antiphon.query.columns import Column, FieldType, NumberColumn, fold, make_column, seconds
from antiphon.query.filters import Condition, Filter, Group, Not, matches

EMPTY = {
    "number": pa.float64(), "boolean": pa.bool_(), "date": pa.timestamp("us"), "string": pa.string(),
    "list": pa.list_(pa.string()),
}  # fmt: skip


@dataclass(frozen=True)
class Holds:
    """One of these values: folded text for text and lists, numbers for the others."""

    name: str
    values: tuple[str, ...] | tuple[float, ...]


@dataclass(frozen=True)
class Between:
    """A number from `low` to `high`; None leaves a side open. `strict`: the ends are not in it."""

    name: str
    low: float | None
    high: float | None
    strict: bool


@dataclass(frozen=True)
class Present:
    """A value at all."""

    name: str


@dataclass(frozen=True)
class Every:
    """All of some tests."""

    parts: tuple[Check, ...]


@dataclass(frozen=True)
class Either:
    """Any of some tests."""

    parts: tuple[Check, ...]


@dataclass(frozen=True)
class Opposite:
    """What a test leaves out."""

    part: Check


Check = Holds | Between | Present | Every | Either | Opposite


def lowered(where: Filter | None, types: Mapping[str, FieldType]) -> Check | None:
    """A filter as tests; `types`: the fields of the catalog.

    Raises:
        FilterError: an unknown field, or a value or operator that does not fit it.
    """
    if where is None:
        return None
    columns = _columns(tuple(types.items()))
    matches(where, columns)
    return _check(where, columns)


def values_of(value: Any, kind: FieldType) -> list[str] | list[float]:
    """The values that an item's field has for tests: folded text, or a number; none for no value."""
    if value is None:
        return []
    if not is_number(kind):
        words = [fold(word) for word in (value if kind == "list" else [value]) if word is not None]
        return list(dict.fromkeys(word for word in words if word))
    number = seconds(value) if kind == "date" else float(value)
    return [] if math.isnan(number) else [number]


def is_number(kind: FieldType) -> bool:
    """Whether tests of a field compare numbers."""
    return kind in ("number", "boolean", "date")


@lru_cache(maxsize=64)
def _columns(types: tuple[tuple[str, FieldType], ...]) -> dict[str, Column]:
    """Fields without items, which refuse what does not fit them."""
    return {name: make_column(name, kind, pa.chunked_array([pa.array([], EMPTY[kind])])) for name, kind in types}


def _check(where: Filter, columns: Mapping[str, Column]) -> Check:
    if isinstance(where, Not):
        return Opposite(_check(where.part, columns))
    if isinstance(where, Group):
        parts = tuple(_check(part, columns) for part in where.parts)
        return Every(parts) if where.kind == "and" else Either(parts)
    return _condition(where, columns[where.field])


def _condition(where: Condition, column: Column) -> Check:
    name, operator, value = where.field, where.operator, where.value
    if operator == "exists" or value is None:
        wanted = value if operator == "exists" else operator == "ne"
        return Present(name) if wanted else Opposite(Present(name))
    if operator in ("gt", "gte", "lt", "lte"):
        low, high = (_plain(value, column), None) if operator[0] == "g" else (None, _plain(value, column))
        return Between(name, low, high, strict=operator in ("gt", "lt"))  # type: ignore[arg-type]  # numbers only
    if operator in ("eq", "ne"):
        one = _holds(name, [value], column)
        return Opposite(one) if operator == "ne" else one
    values = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
    if operator == "all":
        return Every(tuple(_holds(name, [one], column) for one in values))
    return _holds(name, values, column)


def _holds(name: str, values: Sequence[Any], column: Column) -> Holds:
    return Holds(name, tuple(_plain(value, column) for value in values))  # type: ignore[arg-type]  # of one column


def _plain(value: Any, column: Column) -> str | float:
    return column.number(value) if isinstance(column, NumberColumn) else fold(value)
