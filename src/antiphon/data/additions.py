"""Catalogs that grow: the items of further files, brought to the columns of a catalog and merged into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from antiphon.base.storage import first_line
from antiphon.config.sections import CatalogConfig
from antiphon.data.catalog import Catalog, Finding, Media
from antiphon.data.reading import media_sizes, read_catalog
from antiphon.data.tables import read_file
from antiphon.errors import DataError
from antiphon.query.columns import is_list, is_text, split_words

Rows = NDArray[np.int64]
N_EXAMPLES = 3
SEPARATOR = "|"
"""Between the values of a list in a text, where the configuration names none."""


@dataclass(frozen=True)
class Merged:
    """A catalog that has grown. `known`: rows of the items from before; `fresh`: of new and replaced ones."""

    catalog: Catalog
    known: Rows
    fresh: Rows
    new: tuple[str, ...]
    replaced: tuple[str, ...]


def read_added(config: CatalogConfig, files: Sequence[Path], old: Catalog) -> Catalog:
    """The items of some files, with the columns and types of the catalog that they are added to.

    Raises:
        DataError: a file is missing or broken, has no items, other columns or types, or two files have one item.
    """
    if not files:
        raise DataError("there are no files of items to add; name at least one.")
    found = [_read(config, file, old) for file in files]
    items, fields, seen = [], [], set[str]()
    for file, catalog in zip(files, found, strict=True):
        twice = sorted(seen & set(catalog.item_ids))
        if twice:
            raise DataError(f"{file}: the item {twice[0]!r} is in another of the files as well; leave one of them out.")
        seen |= set(catalog.item_ids)
        items.append(_like(catalog.items, old.items, file, _separators(config, old, read_file(file))))
        fields.append(_like(catalog.fields, old.fields, file, {}))
    report = tuple(finding for catalog in found for finding in catalog.report)
    return Catalog(_stacked(items), _stacked(fields), old.field_types, report=report)


def _read(config: CatalogConfig, file: Path, old: Catalog) -> Catalog:
    """The items of one file; fields whose column it lacks are left out, and are counted."""
    table = read_file(file)
    there = {*table.column_names, *config.lists}
    separators = _separators(config, old, table)
    fields = {
        name: field.model_copy(update={"separator": separators.get(field.column or name)})
        for name, field in config.fields.items()
        if (field.column or name) in there
    }
    settings = {"items": file, "interactions": None, "media": {}, "fields": fields}
    found = read_catalog(config.model_copy(update=settings))
    lacking = [name for name in old.items.column_names if name not in found.items.column_names]
    if not lacking:
        return found
    shown = tuple(lacking[:N_EXAMPLES])
    finding = Finding("columns that added items lack", "empty", len(lacking), str(file), examples=shown)
    return replace(found, report=(*found.report, finding))


def merge(old: Catalog, added: Catalog, *, replace_known: bool = False) -> Merged:
    """The catalog with the items of another one; interactions and media of the items from before stay theirs.

    Raises:
        DataError: an item is there already, and is not to be replaced.
    """
    before, ids = old.item_ids, added.item_ids
    twice = sorted(set(before) & set(ids))
    if twice and not replace_known:
        shown = ", ".join(map(repr, twice[:N_EXAMPLES]))
        raise DataError(
            f"{len(twice):,} of the {len(ids):,} items are in the catalog already, such as {shown}; leave them out, or "
            "replace them (--replace)."
        )
    kept = pa.array(~np.isin(before, twice))
    items = _stacked([old.items.filter(kept), added.items])
    order = pc.sort_indices(items["item_id"])
    items = items.take(order).combine_chunks()
    fields = _stacked([old.fields.filter(kept), added.fields]).take(order).combine_chunks()
    row_of = {item_id: row for row, item_id in enumerate(items["item_id"].to_pylist())}
    known = np.array([row_of[item_id] for item_id in before], dtype=np.int64)
    fresh = np.array(sorted(row_of[item_id] for item_id in ids), dtype=np.int64)
    interactions = old.interactions
    if interactions is not None:
        interactions = replace(interactions, item=known[interactions.item].astype(np.int32))
    media = {}
    for name, item in old.media.items():
        present = np.zeros(len(row_of), dtype=bool)
        present[known] = item.present
        media[name] = replace(item, present=present)
    report = old.report + added.report
    catalog = Catalog(items, fields, old.field_types, interactions, media, report)
    return Merged(catalog, known, fresh, tuple(sorted(set(ids) - set(before))), tuple(twice))


def media_of(config: CatalogConfig, item_ids: Sequence[str], paths: Mapping[str, Path]) -> dict[str, Media]:
    """The files of some items; unlike those of a whole catalog, there may be none."""
    found = {}
    for name, item in config.media.items():
        path = paths.get(name, item.path)
        sizes = media_sizes(path)
        names = [item.pattern.replace("{item_id}", item_id) for item_id in item_ids]
        found[name] = Media(path, item.pattern, np.array([sizes.get(file, 0) > 0 for file in names], dtype=bool))
    return found


def _separators(config: CatalogConfig, old: Catalog, table: pa.Table) -> dict[str, str]:
    """Columns of lists, and what separates their values where a file has them as text.

    A catalog of JSONL or parquet names no separator: "|" then, or ";" where no value has the former.
    """
    named = {field.column or name: field.separator for name, field in config.fields.items() if field.type == "list"}
    lists = {field.name for field in old.items.schema if is_list(field.type)}
    return {
        name: named.get(name) or _likely(table[name] if name in table.column_names else None)
        for name in sorted({*named, *lists})
    }


def _likely(values: pa.ChunkedArray | None) -> str:
    if values is None or not is_text(values.type):
        return SEPARATOR
    texts = [text for text in values.to_pylist() if text]
    return next((sign for sign in (SEPARATOR, ";") if any(sign in text for text in texts)), SEPARATOR)


def _like(table: pa.Table, other: pa.Table, file: Path, separators: Mapping[str, str]) -> pa.Table:
    """The columns of `other`, in its types; null where the table has no such column."""
    columns = {}
    for field in other.schema:
        if field.name not in table.column_names:
            columns[field.name] = pa.nulls(table.num_rows, field.type)
            continue
        values = table[field.name]
        if is_list(field.type) and not is_list(values.type):
            values = split_words(pc.cast(values, pa.string()), separators.get(field.name, SEPARATOR))
        try:
            columns[field.name] = values if pa.types.is_null(field.type) else values.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise DataError(
                f"{file}, column {field.name!r}: expected {field.type}, as the catalog has it, got {values.type} "
                f"({first_line(error)})."
            ) from error
    return pa.table(columns)


def _stacked(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="default")
