"""The contract in plain arrays: the reference that every other store is held to.

A space that has `kind = "memory"`, as all have that say nothing, does not copy its vectors into it: its own files are
mapped, and its channels answer. This store is for tests, and for whoever writes another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel

from antiphon.config.sections import Section
from antiphon.numbers.vectors import best_met
from antiphon.stores.contract import (
    MISSING,
    PASSAGES,
    Batch,
    Floats,
    Mask,
    Narrowed,
    Part,
    Ragged,
    Rows,
    Shape,
    Store,
    Version,
    no_version,
)
from antiphon.stores.filters import Between, Check, Either, Every, Holds, Opposite, Present, values_of


class MemoryOptions(Section):
    """[store] with kind = "memory": nothing to choose."""


class Memory(Store):
    """Versions in this process, gone with it."""

    options: ClassVar[type[BaseModel]] = MemoryOptions

    def __init__(self) -> None:
        self._versions: dict[str, MemoryVersion] = {}
        self._current: str | None = None

    @classmethod
    def open(cls, name: str, options: MemoryOptions, folder: Path) -> Self:
        """An empty one."""
        return cls()

    def write(self, version: str, shape: Shape, batches: Iterable[Batch]) -> None:
        """Keep the batches."""
        whole = MemoryVersion(shape, list(batches))
        self._versions.pop(version, None)
        self._versions[version] = whole

    def switch(self, version: str) -> None:
        """One assignment."""
        self.version(version)
        self._current = version

    def current(self) -> str | None:
        """What was switched to."""
        return self._current

    def versions(self) -> list[str]:
        """In the order of their writing."""
        return list(self._versions)

    def version(self, version: str) -> Version:
        """A version."""
        if version not in self._versions:
            raise no_version(version, self.versions())
        return self._versions[version]

    def drop(self, version: str) -> None:
        """Forget it; whoever has it open keeps it."""
        self._versions.pop(version, None)
        self._current = None if self._current == version else self._current

    def check(self) -> None:
        """It always answers."""


class MemoryVersion(Version):
    """Arrays over all items."""

    def __init__(self, shape: Shape, batches: Sequence[Batch]) -> None:
        self.shape = shape
        self._items: list[dict[str, Any]] = [
            {"item_id": item_id, "title": title, "fields": {name: fields.get(name) for name in shape.types}}
            for batch in batches
            for item_id, title, fields in zip(batch.item_ids, batch.titles, batch.fields, strict=True)
        ]
        names = [*shape.blocks, *shape.kept]
        self._vectors = {name: np.concatenate([batch.vectors[name] for batch in batches]) for name in names}
        self._flags = {name: np.concatenate([batch.flags[name] for batch in batches]) for name in shape.flags}
        self._terms = {kind: _joined([batch.terms[kind] for batch in batches]) for kind in shape.terms}
        self._passages = _joined([batch.passages for batch in batches if batch.passages is not None])
        self._values = {
            name: [values_of(item["fields"].get(name), kind) for item in self._items]
            for name, kind in shape.types.items()
        }

    def nearest(self, parts: Sequence[Part], n: int, narrowed: Narrowed) -> list[Rows]:
        """By a look at every row."""
        open_ = np.flatnonzero(self._mask(narrowed))
        found = []
        for part in parts:
            scores = self._products(part, open_)
            with_any = np.flatnonzero(scores) if part.ids is not None else np.arange(len(open_))
            found.append(open_[with_any[np.argsort(-scores[with_any], kind="stable")[:n]]])
        return found

    def scores(self, parts: Sequence[Part], rows: Rows) -> Floats:
        """Products."""
        return np.stack([self._products(part, rows) for part in parts])

    def first(self, n: int, narrowed: Narrowed) -> Rows:
        """In the order of rows."""
        return np.flatnonzero(self._mask(narrowed))[:n]

    def passing(self, rows: Rows, narrowed: Narrowed) -> Rows:
        """Those that are left."""
        return np.sort(rows[self._mask(narrowed)[rows]])

    def vectors(self, name: str, rows: Rows) -> Floats:
        """As they were written."""
        found: Floats = self._vectors[name][rows]
        return found

    def passages(self, rows: Rows) -> Ragged:
        """As they were written."""
        return _joined([_one(self._passages, int(row)) for row in rows])

    def fetch(self, rows: Rows) -> list[dict[str, Any]]:
        """As they were written."""
        return [dict(self._items[int(row)]) for row in rows]

    def count(self, name: str, narrowed: Narrowed) -> dict[Any, int]:
        """By a look at every row."""
        found = Counter[Any]()
        for row in np.flatnonzero(self._mask(narrowed)):
            found.update(set(self._values[name][int(row)]))
        return dict(found)

    def _products(self, part: Part, rows: Rows) -> Floats:
        if not len(rows):
            return np.zeros(0, dtype=np.float32)
        if part.vectors is not None and part.over != PASSAGES:
            products: Floats = (part.vectors @ self._vectors[part.over][rows].T)[0]
            return products
        if part.vectors is not None:
            return best_met(np.stack([_best(_one(self._passages, int(row)), part.vectors) for row in rows], axis=1))
        assert part.ids is not None  # noqa: S101  a part has vectors or terms
        assert part.weights is not None  # noqa: S101
        weight_of = dict(zip(part.ids.tolist(), part.weights.tolist(), strict=True))
        terms = self._terms[part.over]
        return np.array(
            [
                sum(
                    weight_of.get(term, 0.0) * value
                    for term, value in zip(terms.ids[held].tolist(), terms.values[held].tolist(), strict=True)
                )
                for held in map(terms.of, rows.tolist())
            ],
            dtype=np.float32,
        )

    def _mask(self, narrowed: Narrowed) -> Mask:
        mask = np.ones(self.shape.n_items, dtype=bool)
        mask[narrowed.without] = False
        if narrowed.flag is not None:
            mask &= self._flags[narrowed.flag]
        return mask if narrowed.where is None else mask & self._passes(narrowed.where)

    def _passes(self, check: Check) -> Mask:
        if isinstance(check, Opposite):
            return ~self._passes(check.part)
        if isinstance(check, Every | Either):
            combine = np.logical_and if isinstance(check, Every) else np.logical_or
            return np.asarray(combine.reduce([self._passes(part) for part in check.parts]))
        return np.array([_holds(check, values) for values in self._values[check.name]], dtype=bool)


def _holds(check: Holds | Between | Present, values: Sequence[Any]) -> bool:
    if isinstance(check, Present):
        return bool(values)
    if isinstance(check, Holds):
        return any(value in check.values for value in values)
    return any(_lies(check, float(value)) for value in values)


def _lies(check: Between, value: float) -> bool:
    if check.strict and value in (check.low, check.high):
        return False
    return (check.low is None or value >= check.low) and (check.high is None or value <= check.high)


def _best(passages: Ragged, vectors: Floats) -> Floats:
    """The best cosine of each vector with one item's passages."""
    if not len(passages.values):
        return np.full(len(vectors), MISSING, dtype=np.float32)
    found: Floats = (vectors @ passages.values.T).max(axis=1)
    return found


def _one(lists: Ragged, row: int) -> Ragged:
    held = lists.of(row)
    return Ragged(np.array([0, held.stop - held.start]), lists.values[held], lists.ids[held])


def _joined(lists: Sequence[Ragged]) -> Ragged:
    if not lists:
        return Ragged(np.zeros(1, dtype=np.int64), np.zeros((0, 0), dtype=np.float32))
    lengths = np.concatenate([np.diff(one.bounds) for one in lists])
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Ragged(bounds, np.concatenate([one.values for one in lists]), np.concatenate([one.ids for one in lists]))
