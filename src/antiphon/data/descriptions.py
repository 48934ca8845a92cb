"""Descriptions: the items as texts, one or several views of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from antiphon.base import storage

View = tuple[str | None, ...]


@dataclass(frozen=True)
class Descriptions:
    """Texts of the items by view, each (n_items,), None where an item has none.

    `fallbacks` counts the items that lack a GEN description and use TEMPLATE in its place. `empty` counts the items
    without any text.
    """

    views: Mapping[str, View]
    fallbacks: int = 0

    @property
    def empty(self) -> int:
        """Number of items without a text in any view."""
        return sum(not any(texts) for texts in zip(*self.views.values(), strict=True))

    def best(self) -> list[str]:
        """One text per item for lexical search: its views one after the other."""
        return [" ".join(filter(None, texts)) for texts in zip(*self.views.values(), strict=True)]

    def save(self, path: Path, item_ids: list[str]) -> None:
        """Write a parquet with item_id and a column per view."""
        views = {name: pa.array(texts, pa.string()) for name, texts in self.views.items()}
        table = pa.table({"item_id": item_ids, **views})
        storage.write_table(path, table.replace_schema_metadata({"fallbacks": str(self.fallbacks)}))

    @classmethod
    def load(cls, path: Path) -> Descriptions:
        """Read what `save` wrote."""
        table = storage.read_table(path)
        fallbacks = int((table.schema.metadata or {}).get(b"fallbacks", b"0"))
        views = {name: tuple(table[name].to_pylist()) for name in table.column_names if name != "item_id"}
        return cls(views, fallbacks)
