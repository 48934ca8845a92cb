"""What a program calls to get a space: from a configuration, or from tables in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from antiphon.base import storage
from antiphon.base.progress import Progress, silent
from antiphon.config.load import load_config, parse_config
from antiphon.config.sections import Config
from antiphon.errors import ConfigError, DataError, nearest
from antiphon.query.columns import FieldType, called_by_name, guess_type
from antiphon.run import build as stages
from antiphon.run.stage import Notify
from antiphon.space.loading import load, write_to_store
from antiphon.space.space import Space

TABLES = "tables"
"""Folder of a run that keeps the tables that it was built from."""
LONG = 80
"""Text columns whose values have more characters on average are no fields: nobody filters by a paragraph."""


def build(
    config: Config | str | Path | None = None,
    run: str | Path | None = None,
    *,
    items: Any = None,
    interactions: Any = None,
    item_id: str = "item_id",
    title: str | None = None,
    description: str | None = None,
    fields: Sequence[str] | Mapping[str, FieldType] | None = None,
    user_id: str = "user_id",
    weight: str | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress = silent,
    notify: Notify = lambda _: None,
) -> Space:
    """Build a space and load it; what is up to date in the folder `run` is not done again.

    Give either `config`, an antiphon.toml or what `load_config` read, or the tables `items` and, where there are any,
    `interactions`: pandas, polars or pyarrow tables, a dict of columns, or a list of dicts. For tables:

    Args:
        config: the configuration; its tables are files.
        run: folder of the run; `runs/<name>` where not given.
        items: one row per item.
        interactions: one row per user and item that the user has or likes.
        item_id: column of both tables with the item's id.
        title: column of `items` with the title; the id where not given.
        description: column of `items` with a text per item, which is encoded beside the other columns.
        fields: columns of `items` that filters, facets and explanations use, with their types where given; all columns
            of a fitting type where not given, but for long texts. Long texts that are no fields are read sentence by
            sentence, and searched.
        user_id: column of `interactions` with the user's id.
        weight: column of `interactions` with a play count or the like.
        settings: sections of antiphon.toml that are laid over what follows from the tables, such as
            `{"train": {"epochs": 20}}`.
        progress: shows how far long stages are.
        notify: is told what was dropped, and how long each stage took.

    Raises:
        ConfigError: neither or both of `config` and `items` are given, or something named does not exist.
        DataError: a table or file is broken or lacks a column.
        RunError: the folder is in use by another build, or cannot be written to.
    """
    if (config is None) == (items is None):
        raise ConfigError("give either config, such as 'antiphon.toml', or items, a table in memory.")
    if config is None:
        raw = dict(settings or {})
        root = Path(run) if run is not None else Path("runs") / str(raw.get("name", "antiphon"))
        tables = {"items": called_by_name(_table(items, "items"))}
        if interactions is not None:
            tables["interactions"] = _table(interactions, "interactions")
        _check_columns(tables, [item_id, title, description, *(fields or ())], [user_id, item_id, weight])
        for name, table in tables.items():
            storage.write_table(root / TABLES / f"{name}.parquet", table)
        taken = {item_id, title, description}
        kinds = _field_types(tables["items"], fields, taken)
        texts = [name for name in _long_texts(tables["items"]) if name not in {*taken, *kinds}]
        made = _settings(root.resolve() / TABLES, kinds, item_id, title, description, texts)
        if interactions is not None:
            file = root.resolve() / TABLES / "interactions.parquet"
            columns = {"user_id": user_id, "item_id": item_id, **({"weight": weight} if weight else {})}
            made["catalog"]["interactions"] = {"file": str(file), **columns}
            made["modalities"].append({"name": "cf", "encoder": "als"})
        config = parse_config(_laid_over(made, raw), source="the tables")
    elif not isinstance(config, Config):
        config = load_config(Path(config))
    root = Path(run) if run is not None else Path("runs") / config.name
    stages.build(config, root, progress=progress, notify=notify, offer=write_to_store)
    return load(root)


def _table(value: Any, name: str) -> pa.Table:
    """A table of any library as an Arrow table."""
    if isinstance(value, pa.Table):
        return value
    try:
        if isinstance(value, Mapping):
            return pa.table(dict(value))
        if isinstance(value, list):
            return pa.Table.from_pylist(value)
        if type(value).__module__.partition(".")[0] == "pandas":
            return pa.Table.from_pandas(value, preserve_index=False)
        if hasattr(value, "to_arrow"):  # polars
            return value.to_arrow()
        return pa.table(value)  # whatever exports Arrow streams
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(
            f"{name}: expected a pandas, polars or pyarrow table, a dict of columns or a list of dicts, "
            f"got {type(value).__name__} ({str(error).splitlines()[0]})."
        ) from error


def _check_columns(tables: Mapping[str, pa.Table], *wanted: Sequence[str | None]) -> None:
    for (name, table), columns in zip(tables.items(), wanted, strict=False):
        for column in columns:
            if column is not None and column not in table.column_names:
                raise DataError(f"{name} has no column {column!r}; {nearest(column, table.column_names)}")


def _field_types(
    table: pa.Table, fields: Sequence[str] | Mapping[str, FieldType] | None, taken: set[str | None]
) -> dict[str, FieldType]:
    """The fields with their types: as given, or as the columns' types say."""
    if isinstance(fields, Mapping):
        return dict(fields)
    kinds = {}
    for name in table.column_names if fields is None else fields:
        kind = guess_type(table.schema.field(name).type)
        if fields is None and (kind is None or name in taken or _is_long(table[name], kind)):
            continue
        if kind is None:
            raise DataError(f"items, column {name!r}: a field cannot have the type {table.schema.field(name).type}.")
        kinds[name] = kind
    return kinds


def _long_texts(table: pa.Table) -> list[str]:
    return [field.name for field in table.schema if _is_long(table[field.name], guess_type(field.type))]


def _is_long(column: pa.ChunkedArray, kind: FieldType | None) -> bool:
    sizes = [len(value) for value in column.slice(0, 1000).to_pylist() if isinstance(value, str)]
    return kind == "string" and bool(sizes) and sum(sizes) / len(sizes) > LONG


def _settings(
    folder: Path,
    kinds: Mapping[str, FieldType],
    item_id: str,
    title: str | None,
    description: str | None,
    texts: Sequence[str],
) -> dict[str, Any]:
    """The configuration that follows from a table of items."""
    spoken = [name for name, kind in kinds.items() if kind in ("string", "list", "number")]
    categories = [{"label": name.replace("_", " ").capitalize(), "column": name} for name in spoken]
    describe: dict[str, Any] = {"opening": "{title}.", "categories": categories, "texts": list(texts)}
    if description is not None:
        describe |= {"mode": "template+gen", "gen_column": description}
    return {
        "catalog": {
            "items": str(folder / "items.parquet"),
            "item_id": item_id,
            **({"title": title} if title else {}),
            "fields": {name: {"type": kind} for name, kind in kinds.items()},
        },
        "describe": describe,
        "modalities": [{"name": "text", "encoder": "sentence-transformers"}],
    }


def _laid_over(made: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(made)
    for key, value in settings.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = _laid_over(result[key], value) if both else value
    return result
