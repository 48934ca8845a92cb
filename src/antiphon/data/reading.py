"""Reading a catalog's files: parquet, CSV or JSONL in, a checked `Catalog` out.

Policies, each counted in the catalog's report:

============================================  ======================================================
an item without an id                         refused
a value that does not fit its field, or a     refused, or left empty (`on_error = "null"`); of an
weight that is no number, or negative         interaction: refused, or the row dropped
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

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from antiphon.config.sections import CatalogConfig, FieldConfig, MediaConfig
from antiphon.data.catalog import Catalog, Finding, Media
from antiphon.data.cells import BAD_CAST, NOUNS, read_cells
from antiphon.data.lines import places, where
from antiphon.data.lists import gather
from antiphon.data.masks import table_mask
from antiphon.data.pairs import read_interactions
from antiphon.data.tables import column_of, ids_of, is_blank, read_file
from antiphon.errors import DataError
from antiphon.query.columns import Mask, normalise

Rows = NDArray[np.int64]
N_EXAMPLES = 3


def read_catalog(config: CatalogConfig) -> Catalog:
    """Read and check everything that [catalog] names.

    Raises:
        ConfigError: `keep` or `positive` does not fit the file's columns.
        DataError: a file is missing, broken, lacks a column, or has values that a policy refuses.
    """
    findings: list[Finding] = []
    items, rows = _read_items(config, findings)
    for name, source in config.lists.items():
        items = gather(items, name, source, findings)
    fields = {}
    for name, field in config.fields.items():
        fields[name] = _field(name, field, items, rows, config, findings)
        if field.pattern is not None and name not in items.column_names:
            items = items.append_column(name, fields[name])
    interactions = None
    if config.interactions is not None:
        interactions = read_interactions(config.interactions, config.unknown, items["item_id"], findings)
    item_ids = items["item_id"].to_pylist()
    media = {name: _find_media(name, item, item_ids, findings) for name, item in config.media.items()}
    # A table without columns has no rows: the ids keep its length.
    typed = pa.table(fields or {"item_id": items["item_id"]})
    types = {name: field.type for name, field in config.fields.items()}
    return Catalog(items, typed, types, interactions, media, tuple(findings))


def id_column(config: CatalogConfig, table: pa.Table) -> str:
    """The column of a table of items that has their ids: the titles', where no column looks like one of ids.

    Raises:
        DataError: there is no such column.
    """
    columns = table.column_names
    like_ids = [name for name in columns if name.casefold().endswith(("id", "ids", "key", "isbn", "asin", "sku"))]
    if config.item_id is not None or "item_id" in columns or config.title is None or like_ids:
        name = config.item_id or "item_id"
        column_of(table, name, config.items)
        return name
    return config.title


def _read_items(config: CatalogConfig, findings: list[Finding]) -> tuple[pa.Table, Rows]:
    """The items in the order of their ids, and the row of the file that each is."""
    path = config.items
    words = [
        field.column or name
        for name, field in config.fields.items()
        if field.type in ("string", "list") or field.pattern is not None
    ]
    table = read_file(path, [config.item_id or "item_id", *([config.title] if config.title else []), *words])
    kept = np.ones(table.num_rows, dtype=bool)
    if config.keep is not None:
        kept = table_mask(table, config.keep, path, "catalog.keep")
        left_out = int((~kept).sum())
        if left_out:
            findings.append(Finding("items outside `keep`", f"left out by {config.keep!r}", left_out, str(path)))
    id_name = id_column(config, table)
    ids = ids_of(column_of(table, id_name, path), path, id_name)
    empty = is_blank(ids) & kept
    if empty.any():
        raise DataError(
            f"{path}, column {id_name!r}: {empty.sum():,} items have no id ({where(path, empty)}); "
            f'give each an id, or leave them out with keep = "{id_name}!=null".'
        )
    kept &= ~_repeats(ids, kept, config, id_name, findings)
    if not kept.any():
        raise DataError(f"{path}: no items are left of {table.num_rows:,} rows; check `keep` and the file.")
    names = {"item_id": ids, "title": _titles(table, ids, kept, config, findings)}
    rest = {name: table[name] for name in table.column_names if name not in names}
    taken = {"item_id": id_name, "title": config.title}
    originals = {
        f"original_{name}": table[name] for name in names if taken[name] != name and name in table.column_names
    }
    items = pa.table({**names, **originals, **rest}).filter(pa.array(kept))
    order = pc.sort_indices(items["item_id"])
    return items.take(order).combine_chunks(), np.flatnonzero(kept)[np.asarray(order)]


def _titles(
    table: pa.Table, ids: pa.ChunkedArray, kept: Mask, config: CatalogConfig, findings: list[Finding]
) -> pa.ChunkedArray:
    if config.title is None:
        return ids
    values = column_of(table, config.title, config.items)
    try:
        titles = normalise(values, "string")
    except BAD_CAST as error:
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


def _repeats(ids: pa.ChunkedArray, kept: Mask, config: CatalogConfig, id_name: str, findings: list[Finding]) -> Mask:
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
            f"{config.items}, column {id_name!r}: {count:,} items have an id that another item has, such as "
            f"{', '.join(map(repr, examples))} ({where(config.items, later)}). Make ids unique, or set "
            'catalog.duplicates = "drop" to keep the first.'
        )
    policy = "dropped, the first is kept"
    findings.append(Finding("items with a repeated id", policy, count, str(config.items), id_name, examples))
    return later


def _field(
    name: str, field: FieldConfig, items: pa.Table, rows: Rows, config: CatalogConfig, findings: list[Finding]
) -> pa.ChunkedArray:
    column, path = field.column or name, config.items
    # What the file calls title or item_id may be another column than the catalog's.
    original = f"original_{column}"
    found = original if column in ("item_id", "title") and original in items.column_names else column
    values = column_of(items, found, path)
    try:
        cells, bad = read_cells(values, field)
    except DataError as error:
        raise DataError(f"{path}, column {column!r}: {error}") from error
    if not bad.any():
        return cells
    # In the order of the file, which whoever mends it reads.
    wrong = np.flatnonzero(bad)[np.argsort(rows[bad], kind="stable")]
    if field.on_error == "refuse":
        shown = wrong[:N_EXAMPLES].tolist()
        lines = places(path, rows[shown].tolist())
        said = [
            f"{values[row].as_py()!r} ({line}, item {items['item_id'][row].as_py()!r})"
            for row, line in zip(shown, lines, strict=True)
        ]
        more = f" and {len(wrong) - N_EXAMPLES:,} more" if len(wrong) > N_EXAMPLES else ""
        raise DataError(
            f"{path}, column {column!r}: the field {name!r} is a {field.type}, got {', '.join(said)}{more}. "
            f'Mend the file, or leave such values empty with on_error = "null" in [catalog.fields.{name}].'
        )
    examples = tuple(dict.fromkeys(str(values[int(row)].as_py()) for row in wrong[:100]))[:N_EXAMPLES]
    kind = f"values that are {NOUNS[field.type]}"
    findings.append(Finding(kind, "left empty", len(wrong), str(path), column, examples))
    return cells


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
