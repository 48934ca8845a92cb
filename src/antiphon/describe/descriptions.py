"""Describing all items: TEMPLATE, GEN, or both, as the views of the text modality."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from antiphon.base import storage
from antiphon.config.sections import DescribeConfig
from antiphon.data.catalog import Catalog
from antiphon.data.descriptions import Descriptions, View
from antiphon.describe.passages import text_column
from antiphon.describe.template import MAX_CHARACTERS, fill_template
from antiphon.errors import DataError


def describe(catalog: Catalog, config: DescribeConfig) -> Descriptions:
    """Describe every item as [describe] says.

    mode "gen": an item without a GEN description gets its TEMPLATE. mode "template+gen": such an item has one view.

    Raises:
        ConfigError: a column is missing, or does not hold text.
        DataError: the numbers of an item's values do not go with them, or the file of GEN texts is broken.
    """
    template: View = tuple(text.strip() or None for text in fill_template(catalog.items, config))
    if config.mode == "template":
        return Descriptions({"template": template})
    gen = (
        text_column(catalog, str(config.gen_column), "gen_column", MAX_CHARACTERS)
        if config.gen_file is None
        else _written(catalog, config.gen_file)
    )
    missing = sum(text is None for text in gen)
    if config.mode == "gen":
        filled = tuple(text or fallback for text, fallback in zip(gen, template, strict=True))
        return Descriptions({"gen": filled}, missing)
    return Descriptions({"template": template, "gen": gen}, missing)


def gen_file_digest(config: DescribeConfig) -> str | None:
    """The SHA-256 of the file with GEN texts; None where it is not read.

    Raises:
        DataError: the file does not exist.
    """
    if config.mode == "template" or config.gen_file is None:
        return None
    if not config.gen_file.is_file():
        raise DataError(
            f"{config.gen_file} does not exist; describe.gen_file names it. Write it with: antiphon describe FILE "
            f"--out {config.gen_file}"
        )
    return storage.cached_sha256(config.gen_file)


def save_written(path: Path, item_ids: list[str], texts: list[str], reasons: list[str | None]) -> None:
    """Write GEN texts as (item_id, description, source, reason); a text with a reason is the item's TEMPLATE."""
    sources = ["model" if reason is None else "template" for reason in reasons]
    columns = {"item_id": item_ids, "description": texts, "source": sources, "reason": reasons}
    storage.sweep_beside(path)
    storage.write_table(path, pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}))


def _written(catalog: Catalog, path: Path) -> View:
    """GEN texts of the items from the file of `antiphon describe`; None where TEMPLATE stands in the file."""
    table = storage.read_table(path)
    for name in ("item_id", "description", "source"):
        if name not in table.column_names:
            raise DataError(
                f"{path} has no column {name!r}; expected item_id, description and source, as `antiphon describe` "
                "writes them."
            )
    columns = [table[name].to_pylist() for name in ("item_id", "description", "source")]
    texts = {item_id: text for item_id, text, source in zip(*columns, strict=True) if source == "model"}
    if catalog.n_items and not set(columns[0]) & set(catalog.item_ids):
        raise DataError(f"{path} has none of the catalog's items; write it again with `antiphon describe`.")
    return tuple((texts.get(item_id) or "").strip()[:MAX_CHARACTERS] or None for item_id in catalog.item_ids)
