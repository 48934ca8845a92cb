"""Reading a catalog's files: parquet, CSV or JSONL in, a checked `Catalog` out.

Policies, each counted in the catalog's report:

===========================================  =======================================================
an item without an id, a value of the wrong   refused
type, a weight that is not finite or negative
two items with one id                         refused, or the later ones dropped (`duplicates`)
an interaction with an item that is not        dropped, or refused (`unknown`)
in the catalog, or without a user
the same user and item twice                  merged: weights add up, one positive makes it positive
===========================================  =======================================================
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
from numpy.typing import NDArray

from antiphon import storage
from antiphon.catalog import Catalog, Finding, Interactions, Media
from antiphon.config import CatalogConfig, FieldConfig, InteractionsConfig, MediaConfig
from antiphon.errors import DataError, nearest
from antiphon.fields import Mask, field_table, guess_type, normalise
from antiphon.filters import Condition, Filter, Group, matches, parse_filter

N_EXAMPLES = 3


def read_catalog(config: CatalogConfig) -> Catalog:
    """Read and check everything that [catalog] names.

    Raises:
        DataError: a file is missing, broken, lacks a column, or has values that a policy refuses.
    """
    findings: list[Finding] = []
    items = _read_items(config, findings)
    ids = items["item_id"]
    fields = {name: _field(name, field, items, config.items) for name, field in config.fields.items()}
    interactions = None
    if config.interactions is not None:
        interactions = _read_interactions(config.interactions, config.unknown, ids, findings)
    media = {name: _find_media(item, ids.to_pylist()) for name, item in config.media.items()}
    typed = pa.table(fields) if fields else pa.table({"item_id": ids}).select([])
    if not fields:
        typed = pa.table({"item_id": ids})
    types = {name: field.type for name, field in config.fields.items()}
    return Catalog(items, typed, types, interactions, media, tuple(findings))


def read_file(path: Path, text_columns: Sequence[str] = ()) -> pa.Table:
    """Read a parquet, CSV or JSONL file; `text_columns` of a CSV stay text, so that an id '007' keeps its zeros.

    Raises:
        DataError: missing, of an unknown kind, or not readable.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist.")
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            return storage.read_table(path)
        if suffix == ".csv":
            convert = pa_csv.ConvertOptions(column_types=dict.fromkeys(text_columns, pa.string()))
            parse = pa_csv.ParseOptions(newlines_in_values=True)
            return pa_csv.read_csv(path, convert_options=convert, parse_options=parse)
        if suffix in (".jsonl", ".ndjson"):
            return pa_json.read_json(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    raise DataError(f"{path}: expected a file that ends in .parquet, .csv or .jsonl, got {suffix or 'no ending'!r}.")


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
    kind = values.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)):
        raise DataError(f"{path}, column {column!r}: ids are text or whole numbers, got {kind}.")
    return pc.cast(values, pa.string())


def _read_items(config: CatalogConfig, findings: list[Finding]) -> pa.Table:
    path = config.items
    table = read_file(path, [config.item_id])
    ids = ids_of(column_of(table, config.item_id, path), path, config.item_id)
    empty = _mask(pc.fill_null(pc.equal(pc.utf8_trim_whitespace(ids), ""), True))
    if empty.any():
        raise DataError(
            f"{path}, column {config.item_id!r}: {empty.sum():,} items have no id (rows {_some_rows(empty)}); "
            "give each an id, or leave them out with `keep`."
        )
    titles = ids if config.title is None else pc.cast(column_of(table, config.title, path), pa.string())
    rest = [name for name in table.column_names if name not in ("item_id", "title")]
    items = pa.table({"item_id": ids, "title": pc.coalesce(titles, ids), **{name: table[name] for name in rest}})
    for name in ("item_id", "title"):
        other = {"item_id": config.item_id, "title": config.title}[name]
        if name in table.column_names and other != name:
            items = items.append_column(f"original_{name}", table[name])
    if config.keep is not None:
        items = _keep(items, config.keep, path, findings)
    items = _without_duplicates(items, config, findings)
    if items.num_rows == 0:
        raise DataError(f"{path}: no items are left; check `keep` and the file.")
    return items.take(pc.sort_indices(items["item_id"])).combine_chunks()


def _keep(items: pa.Table, expression: str, path: Path, findings: list[Finding]) -> pa.Table:
    mask = table_mask(items, expression, path)
    if not mask.all():
        findings.append(Finding("items outside `keep`", f"left out by {expression!r}", int((~mask).sum()), str(path)))
    return items.filter(pa.array(mask))


def table_mask(table: pa.Table, expression: str, path: Path) -> Mask:
    """Rows of a raw table that pass a filter over its columns, (n_rows,) bool.

    Raises:
        FilterError: the filter does not parse or fit.
        DataError: it names a column that the file does not have or that cannot be filtered on.
    """
    parsed = parse_filter(expression)
    types = {}
    for name in _names(parsed):
        kind = guess_type(column_of(table, name, path).type)
        if kind is None:
            raise DataError(f"{path}, column {name!r}: a filter cannot use values of type {table[name].type}.")
        types[name] = kind
    columns = pa.table({name: normalise(table[name], kind) for name, kind in types.items()})
    return matches(parsed, field_table(columns, types))


def _names(expression: Filter) -> set[str]:
    if isinstance(expression, Condition):
        return {expression.field}
    parts = expression.parts if isinstance(expression, Group) else (expression.part,)
    return set().union(*(_names(part) for part in parts))


def _without_duplicates(items: pa.Table, config: CatalogConfig, findings: list[Finding]) -> pa.Table:
    ids = np.asarray(items["item_id"].to_pylist(), dtype=object)
    _, first = np.unique(ids.astype(str), return_index=True)
    later = np.ones(len(ids), dtype=bool)
    later[first] = False
    if not later.any():
        return items
    examples = tuple(dict.fromkeys(str(item) for item in ids[later]))[:N_EXAMPLES]
    count = int(later.sum())
    if config.duplicates == "refuse":
        raise DataError(
            f"{config.items}, column {config.item_id!r}: {count:,} items have an id that another item has, such as "
            f'{", ".join(map(repr, examples))}. Make ids unique, or set catalog.duplicates = "drop" to keep the first.'
        )
    findings.append(
        Finding(
            "items with a repeated id", "dropped, the first is kept", count, str(config.items), config.item_id, examples
        )
    )
    return items.filter(pa.array(~later))


def _field(name: str, config: FieldConfig, items: pa.Table, path: Path) -> pa.ChunkedArray:
    column = config.column or name
    values = column_of(items, column, path)
    try:
        return normalise(values, config.type, config.separator)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        examples = _misfits(items, values, config)
        raise DataError(
            f"{path}, column {column!r}: the field {name!r} is a {config.type}, but holds {values.type} that do not fit"
            f"{examples} ({str(error).splitlines()[0]}). Mend the values or change the field's type."
        ) from error


def _misfits(items: pa.Table, values: pa.ChunkedArray, config: FieldConfig) -> str:
    bad = []
    for row, value in enumerate(values.to_pylist()):
        try:
            normalise(pa.chunked_array([pa.array([value], values.type)]), config.type, config.separator)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            bad.append(f"{value!r} of item {items['item_id'][row].as_py()!r}")
        if len(bad) == N_EXAMPLES or row > 100_000:
            break
    return f", such as {', '.join(bad)}" if bad else ""


def _read_interactions(
    config: InteractionsConfig, unknown: str, item_ids: pa.ChunkedArray, findings: list[Finding]
) -> Interactions:
    path = config.file
    table = read_file(path, [config.user_id, config.item_id])
    positive = (
        np.ones(table.num_rows, dtype=bool) if config.positive is None else table_mask(table, config.positive, path)
    )
    users = ids_of(column_of(table, config.user_id, path), path, config.user_id)
    items = ids_of(column_of(table, config.item_id, path), path, config.item_id)
    numbers = {
        name: _numbers(table, column, path)
        for name, column in (("weight", config.weight), ("rating", config.rating))
        if column is not None
    }
    if config.timestamp is not None:
        numbers["timestamp"] = _timestamps(table, config.timestamp, path)
    weight = numbers.pop("weight", np.ones(table.num_rows))
    _refuse_bad_weights(weight, path, config.weight)
    if config.weight_transform == "log":
        weight = np.log1p(weight)

    item_row = np.asarray(pc.fill_null(pc.index_in(items, value_set=item_ids.combine_chunks()), -1))
    no_user = _mask(pc.fill_null(pc.equal(pc.utf8_trim_whitespace(users), ""), True))
    _report_unknown(item_row < 0, items, "interactions with an unknown item", path, config.item_id, unknown, findings)
    _report_unknown(no_user, users, "interactions without a user", path, config.user_id, unknown, findings)
    good = (item_row >= 0) & ~no_user
    user_ids = pc.unique(users.filter(pa.array(good))).sort()
    user_row = np.asarray(pc.fill_null(pc.index_in(users, value_set=user_ids), -1))
    order = np.flatnonzero(good)[np.lexsort((item_row[good], user_row[good]))]
    columns = {"weight": weight, "positive": positive, **numbers}
    ordered = {name: values[order] for name, values in columns.items()}
    rows = _merge_repeats(user_row[order], item_row[order], ordered, path, findings)
    return Interactions(user_ids=tuple(user_ids.to_pylist()), **rows)


def _numbers(table: pa.Table, column: str, path: Path) -> NDArray[np.float64]:
    values = column_of(table, column, path)
    try:
        return np.asarray(pc.fill_null(pc.cast(values, pa.float64()), float("nan")), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path}, column {column!r}: expected numbers, got {values.type} ({error}).") from error


def _timestamps(table: pa.Table, column: str, path: Path) -> NDArray[np.float64]:
    values = column_of(table, column, path)
    if not pa.types.is_temporal(values.type):
        return _numbers(table, column, path)
    micro = pc.cast(pc.cast(values, pa.timestamp("us")), pa.int64())
    return np.asarray(pc.fill_null(pc.cast(micro, pa.float64()), float("nan")), dtype=np.float64) / 1e6


def _refuse_bad_weights(weight: NDArray[np.float64], path: Path, column: str | None) -> None:
    bad = ~np.isfinite(weight) | (weight < 0)
    if bad.any():
        examples = ", ".join(str(value) for value in weight[bad][:N_EXAMPLES])
        raise DataError(
            f"{path}, column {column!r}: {bad.sum():,} weights are negative or not finite (rows {_some_rows(bad)}: "
            f"{examples}). A weight is a count or strength of 0 or more; for likes and dislikes use `positive`."
        )


def _report_unknown(
    bad: Mask, ids: pa.ChunkedArray, kind: str, path: Path, column: str, policy: str, findings: list[Finding]
) -> None:
    if not bad.any():
        return
    rows = np.flatnonzero(bad)
    some = list(dict.fromkeys(str(ids[int(row)].as_py()) for row in rows[:1000]))[:N_EXAMPLES]
    finding = Finding(kind, "dropped", len(rows), str(path), column, tuple(some))
    if policy == "refuse":
        raise DataError(f"{path}, column {column!r}: {len(rows):,} {kind}, such as {', '.join(map(repr, some))}.")
    findings.append(finding)


def _merge_repeats(
    user: NDArray[Any], item: NDArray[Any], columns: dict[str, NDArray[Any]], path: Path, findings: list[Finding]
) -> dict[str, NDArray[Any]]:
    starts = np.ones(len(user), dtype=bool)
    starts[1:] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
    first = np.flatnonzero(starts)
    n_repeats = len(user) - len(first)
    if n_repeats:
        findings.append(
            Finding("interactions that repeat a user and an item", "merged, weights add up", n_repeats, str(path))
        )
    reduce = {"weight": np.add, "positive": np.logical_or, "rating": np.fmax, "timestamp": np.fmax}
    merged = {
        name: reduce[name].reduceat(values, first) if n_repeats and len(first) else values
        for name, values in columns.items()
    }
    merged["weight"] = merged["weight"].astype(np.float32)
    return {"user": user[first].astype(np.int32), "item": item[first].astype(np.int32), **merged}


def _find_media(config: MediaConfig, item_ids: list[str]) -> Media:
    path = config.path
    if path.is_dir():
        names = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    elif path.is_file():
        try:
            with zipfile.ZipFile(path) as archive:
                names = set(archive.namelist())
        except zipfile.BadZipFile as error:
            raise DataError(f"{path} is not a readable zip file ({error}).") from error
    else:
        raise DataError(f"{path} does not exist; media is a folder or a zip file.")
    present = np.array([config.pattern.format(item_id=item_id) in names for item_id in item_ids], dtype=bool)
    return Media(path, config.pattern, present)


def _mask(values: pa.ChunkedArray) -> Mask:
    return np.asarray(values, dtype=bool)


def _some_rows(mask: Mask) -> str:
    rows = np.flatnonzero(mask)
    more = ", ..." if len(rows) > N_EXAMPLES else ""
    return ", ".join(str(row) for row in rows[:N_EXAMPLES]) + more
