"""Tables from files: parquet, CSV, JSONL, JSON and lists of titles, and columns of ids and numbers out of them.

A CSV may be separated by commas, semicolons or tabs: its first line says which. What the fast readers refuse is read
again, slower: then a column that mixes types is text, and what is broken is named by its line.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.data.lines import delimiter_of, is_array, records
from antiphon.errors import DataError, nearest
from antiphon.query.columns import called_by_name, is_text, normalise

BLOCK = 1 << 24
"""Bytes that CSV and JSONL are read in at a time: a line must fit into it."""
ENDINGS = (".parquet", ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".txt")
"""Of the files that are tables."""
TITLE = "title"
"""The column of a list of titles, one a line."""


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
    readers = {
        ".csv": _read_csv, ".tsv": _read_csv, ".jsonl": _read_jsonl, ".ndjson": _read_jsonl, ".json": _read_json,
        ".txt": _read_lines,
    }  # fmt: skip
    if suffix != ".parquet" and suffix not in readers:
        shown = repr(suffix) if suffix else "no ending"
        raise DataError(f"{path}: expected a file that ends in .parquet, .csv or .jsonl, got {shown}.")
    if path.stat().st_size == 0 and suffix != ".parquet":
        raise DataError(f"{path} cannot be read: it is empty.")
    try:
        table = storage.read_table(path) if suffix == ".parquet" else readers[suffix](path, text_columns)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the text is not UTF-8; save the file as UTF-8.") from error
    except (pa.ArrowException, OSError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {storage.first_line(error)}") from error
    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path} has more than one column {twice[0]!r}; give each column its own name.")
    return called_by_name(table)


def _read_csv(path: Path, text_columns: Sequence[str]) -> pa.Table:
    sign = delimiter_of(path)

    def read(columns: Sequence[str]) -> pa.Table:
        return pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(block_size=BLOCK),
            parse_options=pa_csv.ParseOptions(delimiter=sign, newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string())),
        )

    try:
        table = read(text_columns)
    except pa.ArrowInvalid as error:
        names = _checked_header(path)
        if "conversion error" not in str(error) or "UTF8" in str(error):
            raise
        # Types are guessed from the first block; a word among numbers may stand in a later one.
        table = read(names)
    foreign = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    if foreign:
        raise DataError(f"{path}, column {foreign[0]!r}: the text is not UTF-8; save the file as UTF-8.")
    return table


def _checked_header(path: Path) -> list[str]:
    """The names of the columns, where every line has as many values.

    Raises:
        DataError: a line has more or fewer; it is named.
    """
    rows = records(path)
    _, names = next(rows, (1, []))
    for line, row in rows:
        if len(row) != len(names):
            values = "value" if len(row) == 1 else "values"
            raise DataError(
                f"{path} cannot be read: line {line} has {len(row)} {values}, expected {len(names)} as in the first "
                f"line. Put a value that holds {delimiter_of(path)!r} or a line break into double quotes."
            )
    return names


def _read_lines(path: Path, text_columns: Sequence[str]) -> pa.Table:
    lines = (line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
    return pa.table({TITLE: pa.array([line for line in lines if line], pa.string())})


def _read_jsonl(path: Path, text_columns: Sequence[str]) -> pa.Table:
    options = pa_json.ReadOptions(block_size=BLOCK)
    try:
        table = pa_json.read_json(path, options)
    except pa.ArrowInvalid:
        return _read_objects(path)
    # Text that looks like a date was taken for one; an id or a title is read again as it stands.
    dated = [field.name for field in table.schema if field.name in text_columns and pa.types.is_timestamp(field.type)]
    if not dated:
        return table
    schema = pa.schema([(name, pa.string()) for name in dated])
    return pa_json.read_json(path, options, pa_json.ParseOptions(explicit_schema=schema))


def _read_json(path: Path, text_columns: Sequence[str]) -> pa.Table:
    """Objects in an array, or one a line.

    Raises:
        DataError: the array cannot be read, or holds something other than objects.
    """
    if not is_array(path):
        return _read_jsonl(path, text_columns)
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: it is not valid JSON: {error}.") from error
    odd = next((number for number, row in enumerate(rows, 1) if not isinstance(row, dict)), None)
    if odd is not None or not rows:
        found = "it is empty" if odd is None else f"entry {odd} is no object"
        raise DataError(f'{path} cannot be read: {found}; expected an array of objects such as {{"item_id": "1"}}.')
    return _of_objects(rows)


def _read_objects(path: Path) -> pa.Table:
    """A JSONL object by object: a column whose values are of several types becomes text.

    Raises:
        DataError: a line is no JSON object; it is named.
    """
    rows = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(
                    f"{path} cannot be read: line {number} is not valid JSON: {error.msg} (character {error.colno})."
                ) from error
            if not isinstance(row, dict):
                raise DataError(
                    f'{path} cannot be read: line {number} is no object such as {{"item_id": "1"}}, but {line[:40]!r}.'
                )
            rows.append(row)
    return _of_objects(rows)


def _of_objects(rows: Sequence[Mapping[str, object]]) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: list[object]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        words = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
        return pa.array(words, pa.string())


def column_of(table: pa.Table, name: str, path: Path) -> pa.ChunkedArray:
    """A column of a file.

    Raises:
        DataError: the file has no such column.
    """
    if name not in table.column_names:
        raise DataError(f"{path} has no column {name!r}; {nearest(name, table.column_names)}")
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
