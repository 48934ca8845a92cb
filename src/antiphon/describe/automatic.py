"""What stands for [describe] where a configuration has none: the fields as categories, long texts as texts."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from antiphon.config.sections import CatalogConfig, CategoryConfig, Config, DescribeConfig
from antiphon.data.catalog import Catalog
from antiphon.data.lists import COUNTS
from antiphon.describe.template import LABELS
from antiphon.query.columns import guess_type

LONG = 80
"""Characters that the values of a column have on average, for it to be more that is written of an item."""
SPOKEN = ("string", "list", "number")
"""Types of fields that a description says."""
MAX_VALUES = 30


def with_description(config: Config, catalog: Catalog) -> Config:
    """The configuration with a [describe] of its own; as it is where it has one."""
    if "describe" in config.model_fields_set:
        return config
    described = DescribeConfig(
        categories=[
            _category(name, config, catalog.items) for name, kind in catalog.field_types.items() if kind in SPOKEN
        ],
        texts=long_texts(catalog.items, config.catalog),
    )
    result: Config = config.model_copy(update={"describe": described})
    return result


def long_texts(items: pa.Table, config: CatalogConfig) -> list[str]:
    """Columns of long texts that are not used otherwise."""
    taken = {"item_id", "title", *(field.column or name for name, field in config.fields.items())}
    return [
        name
        for name in items.column_names
        if name not in taken and not name.startswith("original_") and mean_length(items[name]) > LONG
    ]


def mean_length(values: pa.ChunkedArray) -> float:
    """Characters of the texts of a column on average; 0 where it holds no texts."""
    if guess_type(values.type) != "string" or pa.types.is_null(values.type):
        return 0.0
    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, values.type.value_type)
    return float(pc.mean(pc.utf8_length(values)).as_py() or 0.0)


def unused_columns(catalog: Catalog, config: Config, also: Sequence[str] = ()) -> list[str]:
    """Columns of the items that nothing reads; `also` names those that something else does."""
    described = config.describe
    used = {"item_id", "title", config.catalog.item_id, config.catalog.title, described.gen_column, *also}
    used |= {field.column or name for name, field in config.catalog.fields.items()}
    used |= {*config.catalog.fields, *config.catalog.lists, *described.texts}
    used |= {COUNTS.format(name) for name in config.catalog.lists}
    for category in described.categories:
        used |= {category.column, category.counts}
    return [name for name in catalog.items.column_names if name not in used and not name.startswith("original_")]


def _category(name: str, config: Config, items: pa.Table) -> CategoryConfig:
    field = config.catalog.fields[name]
    column = name if field.pattern is not None else field.column or name
    is_list = field.type == "list"
    return CategoryConfig(
        label=LABELS.get(name, name.replace("_", " ").capitalize()),
        column=column,
        separator=(field.separator or "|") if is_list and guess_type(items[column].type) == "string" else None,
        counts=COUNTS.format(name) if name in config.catalog.lists else None,
        max_values=MAX_VALUES if is_list else None,
        stop=field.missing,
    )
