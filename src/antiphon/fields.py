"""Typed columns of the catalog that filters, facets and explanations read.

A column answers two questions: which rows hold one of these values, and which rows lie in this range. Text compares
without regard to case. A row without a value equals nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from antiphon.errors import FilterError

FieldType = Literal["number", "string", "list", "date", "boolean"]
Mask = NDArray[np.bool_]


class Column(Protocol):
    """One field of all items."""

    @property
    def type(self) -> FieldType:
        """Kind of the field."""
        ...

    def present(self) -> Mask:
        """Rows that have a value, (n_items,) bool."""
        ...

    def holds(self, value: Any) -> Mask:
        """Rows that have this value (for lists: among their values), (n_items,) bool."""
        ...

    def between(self, low: Any | None, high: Any | None) -> Mask:
        """Rows with low <= value <= high, (n_items,) bool; None leaves a side open."""
        ...


@dataclass(frozen=True)
class NumberColumn:
    """Numbers, dates (as seconds since 1970) and booleans (0, 1): float64 with NaN where there is none."""

    name: str
    type: FieldType
    values: NDArray[np.float64]

    def present(self) -> Mask:
        """Rows that have a value."""
        return ~np.isnan(self.values)

    def holds(self, value: Any) -> Mask:
        """Rows that have this value."""
        return np.asarray(self.values == self._number(value))

    def between(self, low: Any | None, high: Any | None) -> Mask:
        """Rows in a range."""
        mask = self.present()
        if low is not None:
            mask &= self.values >= self._number(low)
        if high is not None:
            mask &= self.values <= self._number(high)
        return mask

    def _number(self, value: Any) -> float:
        try:
            if self.type == "date":
                return seconds(value)
            if self.type == "boolean":
                return _truth(value)
            return float("not a number" if isinstance(value, bool) else value)
        except (TypeError, ValueError, OverflowError) as error:
            example = {"number": "1980", "date": "'1999-12-31'", "boolean": "true"}[self.type]
            raise FilterError(
                f"the field {self.name!r} holds {self.type}s, got {value!r}; write a {self.type} such as {example}."
            ) from error


@dataclass(frozen=True)
class WordColumn:
    """Strings and lists of strings: codes into a vocabulary, with the row of each code."""

    name: str
    type: FieldType
    n_rows: int
    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    vocabulary: Mapping[str, int]

    def present(self) -> Mask:
        """Rows that have a value."""
        return self._rows_where(np.ones(len(self.codes), dtype=bool))

    def holds(self, value: Any) -> Mask:
        """Rows that have this value."""
        if isinstance(value, bool | Mapping | list | tuple):
            raise FilterError(f"the field {self.name!r} holds text, got {value!r}; write a word or a quoted string.")
        code = self.vocabulary.get(_fold(value), -1)
        return self._rows_where(self.codes == code)

    def between(self, low: Any | None, high: Any | None) -> Mask:
        """Rows in a range."""
        raise FilterError(f"the field {self.name!r} holds text, which has no range; use =, in, any, all or exists.")

    def _rows_where(self, which: Mask) -> Mask:
        mask = np.zeros(self.n_rows, dtype=bool)
        mask[self.rows[which]] = True
        return mask


FieldTable = Mapping[str, Column]


def field_table(table: pa.Table, types: Mapping[str, FieldType]) -> dict[str, Column]:
    """Columns of `table` made ready for filters; `types` names them."""
    return {name: make_column(name, kind, table[name]) for name, kind in types.items()}


def make_column(name: str, kind: FieldType, values: pa.ChunkedArray) -> Column:
    """One column made ready for filters. `values` has the arrow type that `normalise` gives."""
    values = values.combine_chunks()
    if kind in ("number", "boolean"):
        numbers = np.asarray(pc.fill_null(pc.cast(values, pa.float64()), float("nan")), dtype=np.float64)
        return NumberColumn(name, kind, numbers)
    if kind == "date":
        micro = pc.cast(pc.cast(values, pa.timestamp("us")), pa.int64())
        numbers = np.asarray(pc.fill_null(pc.cast(micro, pa.float64()), float("nan")), dtype=np.float64)
        return NumberColumn(name, kind, numbers / 1e6)
    if kind == "list":
        rows = np.asarray(pc.list_parent_indices(values), dtype=np.int64)
        words = pc.list_flatten(values).to_pylist()
    else:
        rows, words = np.arange(len(values), dtype=np.int64), values.to_pylist()
    vocabulary: dict[str, int] = {}
    codes = [-1 if word is None else vocabulary.setdefault(_fold(word), len(vocabulary)) for word in words]
    known = np.array(codes, dtype=np.int64)
    return WordColumn(name, kind, len(values), rows[known >= 0], known[known >= 0], vocabulary)


def guess_type(kind: pa.DataType) -> FieldType | None:
    """The field type that fits an arrow type; None where none does."""
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_temporal(kind):
        return "date"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = guess_type(kind.value_type)
        return "list" if inner == "string" else None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "string"
    return None


def normalise(values: pa.ChunkedArray, kind: FieldType, separator: str | None = None) -> pa.ChunkedArray:
    """Cast a column to the arrow type of a field: float64, bool, timestamp[us], string, or list<string>.

    Raises:
        pa.ArrowInvalid: a value does not fit the type.
    """
    if kind == "list" and (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        values = split_words(values, separator or "|")
    if kind == "date" and pa.types.is_integer(values.type):
        return pc.cast(pc.cast(values, pa.timestamp("s")), pa.timestamp("us"))
    if kind == "date" and pa.types.is_date(values.type):
        return pc.cast(values, pa.timestamp("us"))
    target = {
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.timestamp("us"),
        "string": pa.string(),
        "list": pa.list_(pa.string()),
    }[kind]
    return values if values.type == target else pc.cast(values, target)


def split_words(values: pa.ChunkedArray, separator: str) -> pa.ChunkedArray:
    """Split a text column into lists; blanks around a value and empty values go."""
    lists = [
        None if text is None else [word.strip() for word in text.split(separator) if word.strip()]
        for text in values.to_pylist()
    ]
    return pa.chunked_array([pa.array(lists, pa.list_(pa.string()))])


def seconds(value: Any) -> float:
    """Seconds since 1970 (UTC) of a number, a date, a datetime or an ISO text such as '1999-12-31'.

    Raises:
        ValueError: not a date.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp()
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC).timestamp()
    raise ValueError(value)


def words_of(values: object) -> list[str]:
    """A field's value as the words a person would read."""
    if values is None:
        return []
    items: Iterable[Any] = [values] if isinstance(values, str) or not isinstance(values, Iterable) else values
    return [str(item) for item in items]


def _fold(value: Any) -> str:
    return str(value).casefold().strip()


def _truth(value: Any) -> float:
    if isinstance(value, bool | int | float) and value in (0, 1):
        return float(value)
    if isinstance(value, str) and value.casefold() in ("true", "false"):
        return float(value.casefold() == "true")
    raise ValueError(value)
