"""Descriptions of all items: TEMPLATE, GEN, or both, as the views of the text modality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from antiphon import storage
from antiphon.catalog import Catalog
from antiphon.config import DescribeConfig
from antiphon.describe.template import MAX_CHARACTERS, fill_template
from antiphon.errors import ConfigError, nearest
from antiphon.fields import normalise

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
        """One text an item for lexical search: its views one after the other."""
        return [" ".join(filter(None, texts)) for texts in zip(*self.views.values(), strict=True)]

    def save(self, path: Path, item_ids: list[str]) -> None:
        """Write a parquet with item_id and a column a view."""
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


def describe(catalog: Catalog, config: DescribeConfig) -> Descriptions:
    """Describe every item as [describe] says.

    mode "gen": an item without a GEN description gets its TEMPLATE. mode "template+gen": such an item has one view.

    Raises:
        ConfigError: a column is missing, or does not hold text.
        DataError: the numbers of an item's values do not go with them.
    """
    template: View = tuple(text.strip() or None for text in fill_template(catalog.items, config))
    if config.mode == "template":
        return Descriptions({"template": template})
    gen = _gen(catalog, str(config.gen_column))
    missing = sum(text is None for text in gen)
    if config.mode == "gen":
        filled = tuple(text or fallback for text, fallback in zip(gen, template, strict=True))
        return Descriptions({"gen": filled}, missing)
    return Descriptions({"template": template, "gen": gen}, missing)


def _gen(catalog: Catalog, column: str) -> View:
    if column not in catalog.items.column_names:
        raise ConfigError(
            f"describe: the items have no column {column!r}; {nearest(column, catalog.items.column_names)}"
        )
    try:
        texts = normalise(catalog.items[column], "string").to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ConfigError(
            f"describe: gen_column {column!r} holds {catalog.items[column].type}, expected text; name another column."
        ) from error
    return tuple((text or "").strip()[:MAX_CHARACTERS] or None for text in texts)
