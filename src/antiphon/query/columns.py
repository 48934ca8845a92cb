"""Typed columns of the catalog that filters, facets and explanations read.

A column answers two questions: which rows hold one of these values, and which rows lie in this range. Text compares
without regard to case. A row without a value equals nothing; NaN, blank text and an empty list are no value.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from antiphon.errors import FilterError
from antiphon.query.written import NAMES, parts_of

FieldType = Literal["number", "string", "list", "date", "boolean"]
Mask = NDArray[np.bool_]
_ZERO_ONE = pa.array([0, 1, None])


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
    """Numbers, dates (as seconds since 1970) and booleans (0, 1): float64 with NaN for a missing value."""

    name: str
    type: FieldType
    values: NDArray[np.float64]

    def present(self) -> Mask:
        """Rows that have a value."""
        return ~np.isnan(self.values)

    def holds(self, value: Any) -> Mask:
        """Rows that have this value."""
        return np.asarray(self.values == self.number(value))

    def between(self, low: Any | None, high: Any | None) -> Mask:
        """Rows in a range."""
        mask = self.present()
        if low is not None:
            mask &= self.values >= self.number(low)
        if high is not None:
            mask &= self.values <= self.number(high)
        return mask

    def number(self, value: Any) -> float:
        """A value as the column has it.

        Raises:
            FilterError: it does not fit.
        """
        try:
            if self.type == "date":
                return seconds(value)
            if self.type == "boolean":
                return _truth(value)
            return _finite(value)
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
    rows: NDArray[np.int32]
    codes: NDArray[np.int32]
    vocabulary: Mapping[str, int]

    def present(self) -> Mask:
        """Rows that have a value."""
        return self._rows_where(np.ones(len(self.codes), dtype=bool))

    def holds(self, value: Any) -> Mask:
        """Rows that have this value."""
        if isinstance(value, bool) or not isinstance(value, str | Real):
            raise FilterError(f"the field {self.name!r} holds text, got {value!r}; write a word or a quoted string.")
        code = self.vocabulary.get(fold(value), -1)
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
        rows = np.asarray(pc.list_parent_indices(values), dtype=np.int32)
        words = pc.list_flatten(values)
    else:
        rows, words = np.arange(len(values), dtype=np.int32), values
    # Each different word is folded once, however many items have it.
    encoded = words.dictionary_encode()
    vocabulary: dict[str, int] = {}
    folded = ["" if word is None else fold(word) for word in encoded.dictionary.to_pylist()]
    codes = [vocabulary.setdefault(word, len(vocabulary)) if word else -1 for word in folded]
    places = np.asarray(pc.fill_null(encoded.indices, len(codes)), dtype=np.int32)
    known = np.array([*codes, -1], dtype=np.int32)[places]
    return WordColumn(name, kind, len(values), rows[known >= 0], known[known >= 0], vocabulary)


def year_column(table: FieldTable, is_year: Callable[[str], bool]) -> NDArray[np.float64] | None:
    """The years of the items, (n_items,) float64 with NaN for a missing one; None where no number says them.

    `is_year`: whether a field of that name has years.
    """
    for name, column in table.items():
        if is_year(name) and isinstance(column, NumberColumn) and column.type == "number":
            return column.values
    return None


def guess_type(kind: pa.DataType) -> FieldType | None:
    """The field type that fits an arrow type; None where none does."""
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "date"
    if pa.types.is_dictionary(kind):
        return guess_type(kind.value_type)
    if is_list(kind):
        return "list" if guess_type(kind.value_type) in ("string", "number") or kind.value_type == pa.null() else None
    return "string" if is_text(kind) or kind == pa.null() else None


def is_text(kind: pa.DataType) -> bool:
    """Whether an arrow type is one of those that hold text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_list(kind: pa.DataType) -> bool:
    """Whether an arrow type is one of those that hold a list a row."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def normalise(values: pa.ChunkedArray, kind: FieldType, separator: str | None = None) -> pa.ChunkedArray:
    """Cast a column to the arrow type of a field: float64, bool, timestamp[us] in UTC, string, or list<string>.

    Dates come from dates, from whole seconds since 1970, or from ISO text; digits below a microsecond go. Booleans
    come from true and false, or from 1 and 0.

    Raises:
        pa.ArrowInvalid: a value does not fit the type.
        pa.ArrowNotImplementedError: no value of the column's type can.
    """
    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, values.type.value_type)
    if kind == "list" and is_text(values.type):
        values = split_words(values, separator or "|")
    if kind == "date":
        return _dates(values)
    if kind == "boolean" and pa.types.is_integer(values.type) and not pc.all(pc.is_in(values, _ZERO_ONE)).as_py():
        raise pa.ArrowInvalid("numbers other than 0 and 1 are neither true nor false")
    target = {
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "string": pa.string(),
        "list": pa.list_(pa.string()),
    }[kind]
    return values if values.type == target else pc.cast(values, target)


def _dates(values: pa.ChunkedArray) -> pa.ChunkedArray:
    target = pa.timestamp("us")
    if pa.types.is_integer(values.type):
        return pc.cast(pc.cast(pc.cast(values, pa.int64()), pa.timestamp("s")), target)
    if is_text(values.type):
        try:
            return pc.cast(values, target)
        except pa.ArrowInvalid:
            # Texts with a zone, such as 2020-01-01T00:00:00Z.
            values = pc.cast(values, pa.timestamp("us", "UTC"))
    return pc.cast(values, options=pc.CastOptions(target, allow_time_truncate=True))


def called_by_name(table: pa.Table) -> pa.Table:
    """The table with objects that have a name in the form of that name: {"id": 18, "name": "Drama"} is "Drama"."""
    for place, column in enumerate(table.schema):
        inner = column.type.value_type if is_list(column.type) else column.type
        name = next((name for name in NAMES if pa.types.is_struct(inner) and inner.get_field_index(name) >= 0), None)
        if name is None or not is_text(inner.field(name).type):
            continue
        if inner is column.type:
            values = pc.struct_field(table[column.name], name)
        else:
            cells = table[column.name].to_pylist()
            words = [None if cell is None else [value[name] for value in cell if value is not None] for cell in cells]
            values = pa.chunked_array([pa.array(words, pa.list_(pa.string()))])
        table = table.set_column(place, column.name, values)
    return table


def split_words(values: pa.ChunkedArray, separator: str) -> pa.ChunkedArray:
    """Split a text column into lists; see `written.parts_of`."""
    lists = [None if text is None else parts_of(text, separator) for text in values.to_pylist()]
    return pa.chunked_array([pa.array(lists, pa.list_(pa.string()))])


def seconds(value: Any) -> float:
    """Seconds since 1970 (UTC) of a number, a date, a datetime or an ISO text such as '1999-12-31'.

    Raises:
        ValueError: not a date.
    """
    if isinstance(value, Real):
        return _finite(value)
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp()
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC).timestamp()
    raise ValueError(value)


def words_of(values: object) -> list[str]:
    """A field's value as the words a person would read: 1995 for 1995.0, a day for midnight, nothing for no value."""
    items: Iterable[Any] = [values] if isinstance(values, str) or not isinstance(values, Iterable) else values
    return [_word(item) for item in items if not _is_missing(item)]


def _word(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()
    return str(value)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124  only NaN differs from itself


def _finite(value: Any) -> float:
    number = float("no number" if isinstance(value, bool) else value)
    if number != number:  # noqa: PLR0124  only NaN differs from itself
        raise ValueError(value)
    return number


def fold(value: Any) -> str:
    """Text as columns compare it: without regard to case, without blanks around it."""
    return str(value).casefold().strip()


def _truth(value: Any) -> float:
    if isinstance(value, bool | int | float) and value in (0, 1):
        return float(value)
    if isinstance(value, str) and value.casefold() in ("true", "false", "1", "0"):
        return float(value.casefold() in ("true", "1"))
    raise ValueError(value)
