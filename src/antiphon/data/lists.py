"""Columns gathered from another file, with a row for each item and value: tags that people gave, genres, authors."""

from __future__ import annotations

from collections import Counter, defaultdict

import pyarrow as pa
import pyarrow.compute as pc

from antiphon.config.sections import ListConfig
from antiphon.data.catalog import Finding
from antiphon.data.tables import column_of, ids_of, read_file
from antiphon.errors import DataError

COUNTS = "{}_counts"
"""The column with the numbers of a gathered one."""


def gather(items: pa.Table, name: str, source: ListConfig, findings: list[Finding]) -> pa.Table:
    """The items with the columns `name` (list<string>) and `name`_counts (list<int64>), most frequent values first.

    Spellings that differ in case are one value, written as most rows have it. Rows of no item are counted and left out.

    Raises:
        DataError: the file is missing or broken, lacks a column, or the items have a column of that name already.
    """
    if name in items.column_names:
        raise DataError(f"the items have a column {name!r} already; give [catalog.lists.{name}] another name.")
    table = read_file(source.file, [source.item_id, source.column])
    ids = ids_of(column_of(table, source.item_id, source.file), source.file, source.item_id).to_pylist()
    words = pc.cast(column_of(table, source.column, source.file), pa.string()).to_pylist()
    known = items["item_id"].to_pylist()
    spellings: dict[str, dict[str, Counter[str]]] = {item_id: defaultdict(Counter) for item_id in known}
    unknown: list[str] = []
    for item_id, word in zip(ids, words, strict=True):
        if item_id not in spellings:
            unknown.append(str(item_id))
        elif word and word.strip():
            spellings[item_id][word.strip().casefold()][word.strip()] += 1
    if unknown:
        shown = tuple(dict.fromkeys(unknown))[:3]
        kind = f"rows of {name!r} with an unknown item"
        findings.append(Finding(kind, "dropped", len(unknown), str(source.file), source.item_id, shown))
    found = [
        sorted(map(_said, of_item.values()), key=lambda pair: (-pair[1], pair[0])) for of_item in spellings.values()
    ]
    values = pa.array([[word for word, _ in pairs] for pairs in found], pa.list_(pa.string()))
    counts = pa.array([[count for _, count in pairs] for pairs in found], pa.list_(pa.int64()))
    return items.append_column(name, values).append_column(COUNTS.format(name), counts)


def _said(spelling: Counter[str]) -> tuple[str, int]:
    """A value as most rows spell it, and how many say it."""
    return spelling.most_common(1)[0][0], spelling.total()
