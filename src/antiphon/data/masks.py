"""Filters over the columns of a file: which of its rows count."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from antiphon.data.cells import BAD_CAST
from antiphon.data.tables import column_of
from antiphon.errors import ConfigError, DataError, FilterError
from antiphon.query.columns import Mask, field_table, guess_type, normalise
from antiphon.query.filters import Condition, Filter, Group, matches, parse_filter


def table_mask(table: pa.Table, expression: str, path: Path, option: str = "the filter") -> Mask:
    """Rows of a raw table that pass a filter over its columns, (n_rows,) bool.

    Raises:
        ConfigError: the filter does not parse or does not fit; `option` is what the sentence calls it.
        DataError: it names a column that the file does not have or that cannot be filtered on.
    """
    wanted = parsed(expression, option)
    try:
        types = {}
        for name in sorted(names_in(wanted)):
            kind = guess_type(column_of(table, name, path).type)
            if kind is None:
                raise DataError(f"{path}, column {name!r}: a filter cannot use values of type {table[name].type}.")
            types[name] = kind
        columns = pa.table({name: normalise(table[name], kind) for name, kind in types.items()})
        return matches(wanted, field_table(columns, types))
    except FilterError as error:
        raise ConfigError(f"{option}: {error}") from error
    except BAD_CAST as error:
        shown = ", ".join(map(repr, sorted(names_in(wanted))))
        raise DataError(f"{path}: {option} {expression!r} cannot compare the values of {shown}.") from error


def parsed(expression: str, option: str) -> Filter:
    """A filter of the configuration.

    Raises:
        ConfigError: it does not parse; `option` is what the sentence calls it.
    """
    try:
        return parse_filter(expression)
    except FilterError as error:
        raise ConfigError(f"{option}: {error}") from error


def names_in(expression: Filter) -> set[str]:
    """The columns that a filter reads."""
    if isinstance(expression, Condition):
        return {expression.field}
    parts = expression.parts if isinstance(expression, Group) else (expression.part,)
    return set().union(*(names_in(part) for part in parts))
