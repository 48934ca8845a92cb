"""Tables from files: parquet, CSV and JSONL, and columns of ids and numbers out of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.errors import DataError, nearest
from antiphon.query.columns import is_text, normalise

BLOCK = 1 << 24
"""Bytes that CSV and JSONL are read in at a time: a line must fit into it."""


def read_file(path: Path, text_columns: Sequence[str] = ()) -> pa.Table:
    """Read a parquet, CSV or JSONL file; `text_columns` of a CSV stay text, so that an id '007' keeps its zeros.

    Raises:
        DataError: missing, of an unknown kind, not readable, or with two columns of one name.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder, expected a file that ends in .parquet, .csv or .jsonl.")
    if not path.is_file():
        raise DataError(f"{path} does not exist.")
    suffix = path.suffix.lower()
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".ndjson": _read_jsonl}
    if suffix != ".parquet" and suffix not in readers:
        shown = repr(suffix) if suffix else "no ending"
        raise DataError(f"{path}: expected a file that ends in .parquet, .csv or .jsonl, got {shown}.")
    try:
        table = storage.read_table(path) if suffix == ".parquet" else readers[suffix](path, text_columns)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {storage.first_line(error)}") from error
    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path} has more than one column {twice[0]!r}; give each column its own name.")
    return table


def _read_csv(path: Path, text_columns: Sequence[str]) -> pa.Table:
    table = pa_csv.read_csv(
        path,
        read_options=pa_csv.ReadOptions(block_size=BLOCK),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(text_columns, pa.string())),
    )
    foreign = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    if foreign:
        raise DataError(f"{path}, column {foreign[0]!r}: the text is not UTF-8; save the file as UTF-8.")
    return table


def _read_jsonl(path: Path, text_columns: Sequence[str]) -> pa.Table:
    options = pa_json.ReadOptions(block_size=BLOCK)
    table = pa_json.read_json(path, options)
    # Text that looks like a date was taken for one; an id or a title is read again as it stands.
    dated = [field.name for field in table.schema if field.name in text_columns and pa.types.is_timestamp(field.type)]
    if not dated:
        return table
    schema = pa.schema([(name, pa.string()) for name in dated])
    return pa_json.read_json(path, options, pa_json.ParseOptions(explicit_schema=schema))


def column_of(table: pa.Table, name: str, path: Path) -> pa.ChunkedArray:
    """A column of a file.

    Raises:
        DataError: the file has no such column.
    """
    if name not in table.column_names:
        names = table.column_names
        joined = len(names) == 1 and next((sign for sign in (";", "\t") if sign in names[0]), None)
        hint = f"its columns seem to be separated by {joined!r}, expected commas." if joined else nearest(name, names)
        raise DataError(f"{path} has no column {name!r}; {hint}")
    return table[name]


def ids_of(values: pa.ChunkedArray, path: Path, column: str) -> pa.ChunkedArray:
    """An id column as strings; numbers become their digits.

    Raises:
        DataError: the column holds something other than text or whole numbers.
    """
    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, values.type.value_type)
    if not (is_text(values.type) or pa.types.is_integer(values.type) or pa.types.is_null(values.type)):
        hint = "; cast it to int64 first" if pa.types.is_floating(values.type) else ""
        raise DataError(f"{path}, column {column!r}: ids are text or whole numbers, got {values.type}{hint}.")
    return pc.cast(values, pa.string())


def is_blank(ids: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Rows of a text column that are null or blank, (n_rows,) bool."""
    return np.asarray(pc.fill_null(pc.equal(pc.utf8_trim_whitespace(ids), ""), True), dtype=bool)


def numbers_of(table: pa.Table, column: str, path: Path) -> NDArray[np.float64]:
    """A column of numbers, NaN where it is null, (n_rows,) float64.

    Raises:
        DataError: no such column, or values that are no numbers.
    """
    values = column_of(table, column, path)
    try:
        return np.asarray(pc.fill_null(normalise(values, "number"), float("nan")), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = storage.first_line(error)
        raise DataError(f"{path}, column {column!r}: expected numbers, got {values.type} ({reason}).") from error
