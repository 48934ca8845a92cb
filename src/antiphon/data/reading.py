"""Reading a catalog's files: parquet, CSV or JSONL in, a checked `Catalog` out.

Policies, each counted in the catalog's report:

============================================  ======================================================
an item without an id, a value of the wrong   refused
type, a weight that is not finite or negative
two items with one id                         refused, or the later ones dropped (`duplicates`)
an item without a title                       its id stands in
an interaction with an item that is not in    dropped, or refused (`unknown`); refused where it
the catalog, or without a user                leaves none
the same user and item twice                  merged: weights add up, one positive makes it positive
media files that are empty, or of no item     left out; refused where it leaves none
============================================  ======================================================
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from antiphon.base.storage import first_line
from antiphon.config.sections import CatalogConfig, FieldConfig, InteractionsConfig, MediaConfig
from antiphon.data.catalog import Catalog, Finding, Interactions, Media
from antiphon.data.tables import column_of, ids_of, is_blank, numbers_of, read_file
from antiphon.errors import ConfigError, DataError, FilterError
from antiphon.query.columns import Mask, field_table, guess_type, normalise
from antiphon.query.filters import Condition, Filter, Group, matches, parse_filter

N_EXAMPLES = 3
_BAD_CAST = (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError)


def read_catalog(config: CatalogConfig) -> Catalog:
    """Read and check everything that [catalog] names.

    Raises:
        ConfigError: `keep` or `positive` does not fit the file's columns.
        DataError: a file is missing, broken, lacks a column, or has values that a policy refuses.
    """
    findings: list[Finding] = []
    items = _read_items(config, findings)
    fields = {name: _field(name, field, items, config) for name, field in config.fields.items()}
    interactions = None
    if config.interactions is not None:
        interactions = _read_interactions(config.interactions, config.unknown, items["item_id"], findings)
    item_ids = items["item_id"].to_pylist()
    media = {name: _find_media(name, item, item_ids, findings) for name, item in config.media.items()}
    # A table without columns has no rows: the ids keep its length.
    typed = pa.table(fields or {"item_id": items["item_id"]})
    types = {name: field.type for name, field in config.fields.items()}
    return Catalog(items, typed, types, interactions, media, tuple(findings))


def _read_items(config: CatalogConfig, findings: list[Finding]) -> pa.Table:
    path = config.items
    words = [field.column or name for name, field in config.fields.items() if field.type in ("string", "list")]
    table = read_file(path, [config.item_id, *([config.title] if config.title else []), *words])
    kept = np.ones(table.num_rows, dtype=bool)
    if config.keep is not None:
        kept = table_mask(table, config.keep, path, "catalog.keep")
        left_out = int((~kept).sum())
        if left_out:
            findings.append(Finding("items outside `keep`", f"left out by {config.keep!r}", left_out, str(path)))
    ids = ids_of(column_of(table, config.item_id, path), path, config.item_id)
    empty = is_blank(ids) & kept
    if empty.any():
        raise DataError(
            f"{path}, column {config.item_id!r}: {empty.sum():,} items have no id ({_some_rows(empty)}); "
            "give each an id, or leave them out with `keep`."
        )
    kept &= ~_repeats(ids, kept, config, findings)
    if not kept.any():
        raise DataError(f"{path}: no items are left of {table.num_rows:,} rows; check `keep` and the file.")
    names = {"item_id": ids, "title": _titles(table, ids, kept, config, findings)}
    rest = {name: table[name] for name in table.column_names if name not in names}
    taken = {"item_id": config.item_id, "title": config.title}
    originals = {
        f"original_{name}": table[name] for name in names if taken[name] != name and name in table.column_names
    }
    items = pa.table({**names, **originals, **rest}).filter(pa.array(kept))
    return items.take(pc.sort_indices(items["item_id"])).combine_chunks()


def _titles(
    table: pa.Table, ids: pa.ChunkedArray, kept: Mask, config: CatalogConfig, findings: list[Finding]
) -> pa.ChunkedArray:
    if config.title is None:
        return ids
    values = column_of(table, config.title, config.items)
    try:
        titles = normalise(values, "string")
    except _BAD_CAST as error:
        raise DataError(
            f"{config.items}, column {config.title!r}: a title is text, got {values.type}; name another column."
        ) from error
    blank = is_blank(titles)
    if (blank & kept).any():
        examples = tuple(ids.filter(pa.array(blank & kept)).slice(0, N_EXAMPLES).to_pylist())
        count = int((blank & kept).sum())
        findings.append(
            Finding("items without a title", "their id stands in", count, str(config.items), config.title, examples)
        )
    return pc.if_else(pa.array(blank), ids, titles)


def table_mask(table: pa.Table, expression: str, path: Path, option: str = "the filter") -> Mask:
    """Rows of a raw table that pass a filter over its columns, (n_rows,) bool.

    Raises:
        ConfigError: the filter does not parse or does not fit; `option` is what the sentence calls it.
        DataError: it names a column that the file does not have or that cannot be filtered on.
    """
    try:
        parsed = parse_filter(expression)
        types = {}
        for name in sorted(_names(parsed)):
            kind = guess_type(column_of(table, name, path).type)
            if kind is None:
                raise DataError(f"{path}, column {name!r}: a filter cannot use values of type {table[name].type}.")
            types[name] = kind
        columns = pa.table({name: normalise(table[name], kind) for name, kind in types.items()})
        return matches(parsed, field_table(columns, types))
    except FilterError as error:
        raise ConfigError(f"{option}: {error}") from error
    except _BAD_CAST as error:
        raise DataError(f"{path}: {option} {expression!r} cannot read its columns ({error}).") from error


def _names(expression: Filter) -> set[str]:
    if isinstance(expression, Condition):
        return {expression.field}
    parts = expression.parts if isinstance(expression, Group) else (expression.part,)
    return set().union(*(_names(part) for part in parts))


def _repeats(ids: pa.ChunkedArray, kept: Mask, config: CatalogConfig, findings: list[Finding]) -> Mask:
    rows = np.flatnonzero(kept)
    codes = np.asarray(ids.combine_chunks().dictionary_encode().indices.fill_null(-1))[rows]
    _, first = np.unique(codes, return_index=True)
    later = kept.copy()
    later[rows[first]] = False
    if not later.any():
        return later
    examples = tuple(dict.fromkeys(ids.filter(pa.array(later)).to_pylist()))[:N_EXAMPLES]
    count = int(later.sum())
    if config.duplicates == "refuse":
        raise DataError(
            f"{config.items}, column {config.item_id!r}: {count:,} items have an id that another item has, such as "
            f"{', '.join(map(repr, examples))} ({_some_rows(later)}). Make ids unique, or set "
            'catalog.duplicates = "drop" to keep the first.'
        )
    policy = "dropped, the first is kept"
    findings.append(Finding("items with a repeated id", policy, count, str(config.items), config.item_id, examples))
    return later


def _field(name: str, field: FieldConfig, items: pa.Table, config: CatalogConfig) -> pa.ChunkedArray:
    column, path = field.column or name, config.items
    # What the file calls title or item_id may be another column than the catalog's.
    original = f"original_{column}"
    found = original if column in ("item_id", "title") and original in items.column_names else column
    values = column_of(items, found, path)
    try:
        return normalise(values, field.type, field.separator)
    except _BAD_CAST as error:
        examples = _misfits(items, values, field)
        raise DataError(
            f"{path}, column {column!r}: the field {name!r} is a {field.type}, but holds {values.type} that do not fit"
            f"{examples} ({first_line(error)}). Mend the values or change the field's type."
        ) from error


def _misfits(items: pa.Table, values: pa.ChunkedArray, field: FieldConfig) -> str:
    bad = []
    for row, value in enumerate(values.to_pylist()):
        try:
            normalise(pa.chunked_array([pa.array([value], values.type)]), field.type, field.separator)
        except _BAD_CAST:
            bad.append(f"{value!r} of item {items['item_id'][row].as_py()!r}")
        if len(bad) == N_EXAMPLES or row > 100_000:
            break
    return f", such as {', '.join(bad)}" if bad else ""


def _read_interactions(
    config: InteractionsConfig, unknown: str, item_ids: pa.ChunkedArray, findings: list[Finding]
) -> Interactions:
    path = config.file
    table = read_file(path, [config.user_id, config.item_id])
    users = ids_of(column_of(table, config.user_id, path), path, config.user_id)
    items = ids_of(column_of(table, config.item_id, path), path, config.item_id)
    columns = _values(config, table)
    item_row = np.asarray(pc.fill_null(pc.index_in(items, value_set=item_ids.combine_chunks()), -1))
    no_item = item_row < 0
    no_user = is_blank(users) & ~no_item
    if no_item.all():
        shown = f" (here: {items[0].as_py()!r}, items: {item_ids[0].as_py()!r})" if len(items) else ""
        raise DataError(
            f"{path}, column {config.item_id!r}: none of the {len(items):,} interactions has an item of the catalog"
            f"{shown}. Are they ids of the same kind?"
        )
    _report_unknown(no_item, items, "interactions with an unknown item", path, config.item_id, unknown, findings)
    _report_unknown(no_user, users, "interactions without a user", path, config.user_id, unknown, findings)
    good = ~no_item & ~no_user
    if not (columns["positive"] & good).any():
        raise DataError(f"{path}: no interaction is positive; check `positive` ({config.positive!r}) and the file.")
    user_ids = pc.unique(users.filter(pa.array(good))).sort()
    user_row = np.asarray(pc.fill_null(pc.index_in(users, value_set=user_ids), -1))
    order = np.flatnonzero(good)[np.lexsort((item_row[good], user_row[good]))]
    ordered = {name: values[order] for name, values in columns.items()}
    rows = _merge_repeats(user_row[order], item_row[order], ordered, path, findings)
    return Interactions(user_ids=tuple(user_ids.to_pylist()), **rows)


def _values(config: InteractionsConfig, table: pa.Table) -> dict[str, NDArray[Any]]:
    path = config.file
    columns: dict[str, NDArray[Any]] = {"weight": np.ones(table.num_rows), "positive": np.ones(table.num_rows, bool)}
    if config.weight is not None:
        columns["weight"] = numbers_of(table, config.weight, path)
        _refuse_bad_weights(columns["weight"], path, config.weight)
    if config.weight_transform == "log":
        columns["weight"] = np.log1p(columns["weight"])
    if config.positive is not None:
        columns["positive"] = table_mask(table, config.positive, path, "catalog.interactions.positive")
    return columns


def _refuse_bad_weights(weight: NDArray[np.float64], path: Path, column: str) -> None:
    bad = ~(np.abs(weight) <= np.finfo(np.float32).max) | (weight < 0)
    if bad.any():
        examples = ", ".join(str(value) for value in weight[bad][:N_EXAMPLES])
        raise DataError(
            f"{path}, column {column!r}: {bad.sum():,} weights are missing, negative or not finite ({_some_rows(bad)}: "
            f"{examples}). A weight is a count or strength of 0 or more; for likes and dislikes use `positive`."
        )


def _report_unknown(
    bad: Mask, ids: pa.ChunkedArray, kind: str, path: Path, column: str, policy: str, findings: list[Finding]
) -> None:
    if not bad.any():
        return
    rows = np.flatnonzero(bad)
    some = list(dict.fromkeys(str(ids[int(row)].as_py()) for row in rows[:1000]))[:N_EXAMPLES]
    if policy == "refuse":
        raise DataError(
            f"{path}, column {column!r}: {len(rows):,} {kind}, such as {', '.join(map(repr, some))} "
            f'({_some_rows(bad)}). Mend the file, or set catalog.unknown = "drop" to leave them out.'
        )
    findings.append(Finding(kind, "dropped", len(rows), str(path), column, tuple(some)))


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
    weight, positive = columns["weight"], columns["positive"]
    if n_repeats:
        weight, positive = np.add.reduceat(weight, first), np.logical_or.reduceat(positive, first)
    user, item = user[first].astype(np.int32), item[first].astype(np.int32)
    return {"user": user, "item": item, "weight": weight.astype(np.float32), "positive": positive}


def _find_media(name: str, config: MediaConfig, item_ids: list[str], findings: list[Finding]) -> Media:
    path = config.path
    sizes = media_sizes(path)
    wanted = [config.pattern.replace("{item_id}", item_id) for item_id in item_ids]
    present = np.array([sizes.get(file, 0) > 0 for file in wanted], dtype=bool)
    if not present.any():
        shown = f" (there is: {min(sizes)!r}, expected: {wanted[0]!r})" if sizes else ""
        raise DataError(
            f"{path}: none of the {len(sizes):,} files is that of an item{shown}; check media.{name}.pattern."
        )
    empty = sorted(file for file in wanted if sizes.get(file) == 0)
    others = sorted(set(sizes) - set(wanted))
    for kind, files in (("empty media files", empty), ("media files of no item", others)):
        if files:
            findings.append(Finding(kind, "left out", len(files), str(path), examples=tuple(files[:N_EXAMPLES])))
    return Media(path, config.pattern, present)


def media_sizes(path: Path) -> dict[str, int]:
    """Size in bytes of each file in a folder or a zip, by its name there.

    Raises:
        DataError: there is no such folder, or no readable zip.
    """
    if path.is_dir():
        return {file.relative_to(path).as_posix(): file.stat().st_size for file in path.rglob("*") if file.is_file()}
    if not path.exists():
        raise DataError(f"{path} does not exist; media is a folder or a zip file.")
    with open_zip(path) as archive:
        return {member.filename: member.file_size for member in archive.infolist() if not member.is_dir()}


def open_zip(path: Path) -> zipfile.ZipFile:
    """A zip file, to read.

    Raises:
        DataError: it is missing or broken.
    """
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path} is not a readable zip file ({error}).") from error


def _some_rows(mask: Mask) -> str:
    rows = np.flatnonzero(mask)
    more = ", ..." if len(rows) > N_EXAMPLES else ""
    noun = "row" if len(rows) == 1 else "rows"
    return f"{noun} {', '.join(str(row) for row in rows[:N_EXAMPLES])}{more}, counted from 0"
