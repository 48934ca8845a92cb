"""Catalog: items, interactions and media, checked.

Rows are ordered by item_id (interactions by user, then item), so everything that follows is a function of the
content and not of the order in the files. What was left out on the way is in `report`, counted, with examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.errors import DataError, IntegrityError
from antiphon.query.columns import FieldType

Rows = NDArray[np.int32]
COLUMNS = ("user", "item", "weight", "positive")
"""Of interactions, in memory and on disk."""


@dataclass(frozen=True)
class Finding:
    """Something that a check found: what, where, how often, and what was done about it."""

    kind: str
    policy: str
    count: int
    file: str
    column: str | None = None
    examples: tuple[str, ...] = ()

    def sentence(self) -> str:
        """The finding for a person."""
        where = self.file if self.column is None else f"{self.file}, column {self.column!r}"
        shown = f", such as {', '.join(self.examples)}" if self.examples else ""
        return f"{self.count:,} {self.kind} ({where}{shown}): {self.policy}"


@dataclass(frozen=True)
class Interactions:
    """Who used what, ordered by user and item, each pair once.

    `user`, `item`: (n,) int32 rows of `user_ids` and of the catalog's items. `weight`: (n,) float32, 1 where the
    file has none. `positive`: (n,) bool, what counts as liked.
    """

    user_ids: tuple[str, ...]
    user: Rows
    item: Rows
    weight: NDArray[np.float32]
    positive: NDArray[np.bool_]

    @property
    def n_users(self) -> int:
        """Number of users with at least one interaction."""
        return len(self.user_ids)

    def __len__(self) -> int:
        return len(self.user)

    def select(self, mask: NDArray[np.bool_]) -> Interactions:
        """The interactions under a mask; user rows stay as they are."""
        return Interactions(self.user_ids, self.user[mask], self.item[mask], self.weight[mask], self.positive[mask])

    def bounds(self) -> NDArray[np.int64]:
        """Where each user's interactions start, (n_users + 1,): user u has rows bounds[u]:bounds[u + 1]."""
        return np.searchsorted(self.user, np.arange(self.n_users + 1)).astype(np.int64)


@dataclass(frozen=True)
class Media:
    """Files of items of one kind, in a folder or a zip."""

    path: Path
    pattern: str
    present: NDArray[np.bool_]


@dataclass(frozen=True)
class Catalog:
    """Items with their columns, typed fields, interactions and media.

    `items` has `item_id` and `title` (strings) first, then every column of the file. `fields` has one typed column per
    filterable field. Both have n_items rows, in the order of `item_id`.
    """

    items: pa.Table
    fields: pa.Table
    field_types: Mapping[str, FieldType]
    interactions: Interactions | None = None
    media: Mapping[str, Media] = field(default_factory=dict)
    report: tuple[Finding, ...] = ()

    @property
    def n_items(self) -> int:
        """Number of items."""
        return int(self.items.num_rows)

    @property
    def item_ids(self) -> list[str]:
        """Ids of the items, in order."""
        ids: list[str] = self.items["item_id"].to_pylist()
        return ids

    def save(self, folder: Path) -> None:
        """Write the catalog as parquet, npy and JSON; `load` reads it back."""
        storage.write_table(folder / "items.parquet", self.items)
        storage.write_table(folder / "fields.parquet", self.fields)
        if self.interactions is not None:
            columns = {name: getattr(self.interactions, name) for name in COLUMNS}
            storage.write_table(folder / "interactions.parquet", pa.table(columns))
            storage.write_json(folder / "users.json", list(self.interactions.user_ids))
        media = {name: {"path": str(item.path), "pattern": item.pattern} for name, item in self.media.items()}
        for name, item in self.media.items():
            storage.write_array(folder / f"media_{name}.npy", item.present)
        storage.write_json(
            folder / "catalog.json",
            {
                "field_types": dict(self.field_types),
                "interactions": self.interactions is not None,
                "media": media,
                "report": [asdict(finding) for finding in self.report],
            },
        )

    @classmethod
    def load(cls, folder: Path) -> Catalog:
        """Read a catalog that `save` wrote.

        Raises:
            IntegrityError: a file is missing or incomplete.
        """
        meta = storage.read_json(folder / "catalog.json")
        items = _read(folder / "items.parquet")
        fields = _read(folder / "fields.parquet")
        if items.num_rows != fields.num_rows:
            raise IntegrityError(f"{folder}: items and fields differ in length; build the run again.")
        interactions = None
        if meta["interactions"]:
            users = tuple(storage.read_json(folder / "users.json"))
            table = _read(folder / "interactions.parquet")
            interactions = Interactions(users, *(table[name].to_numpy() for name in COLUMNS))
        media = {
            name: Media(Path(item["path"]), item["pattern"], storage.read_array(folder / f"media_{name}.npy"))
            for name, item in meta["media"].items()
        }
        report = tuple(Finding(**{**finding, "examples": tuple(finding["examples"])}) for finding in meta["report"])
        return cls(items, fields, meta["field_types"], interactions, media, report)


def _read(path: Path) -> pa.Table:
    try:
        return storage.read_table(path)
    except DataError as error:
        raise IntegrityError(f"{error} Build the run again.") from error
