"""A space on a store: how it is opened, written, and asked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base.layout import RunLayout
from antiphon.base.versions import KEPT
from antiphon.channels.asking import wanted_of
from antiphon.channels.base import Channel, Resolved
from antiphon.channels.stored import SEARCHABLE, batches_of, shape_of, words_digest
from antiphon.config.sections import StoreConfig
from antiphon.errors import MismatchError
from antiphon.query.filters import Filter
from antiphon.space.answer import DEPTH
from antiphon.stores.answering import answer
from antiphon.stores.contract import Narrowed, Part, Ranking, Store, Version, Wanted
from antiphon.stores.filters import lowered
from antiphon.stores.settings import open_store, store_of

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


class OnStore:
    """The version of a space in a store, and what is asked of it. `depth`: candidates of each part at least."""

    def __init__(self, store: Store, version: Version, depth: int) -> None:
        self.store, self.version, self.depth = store, version, depth

    def best(
        self, channels: Sequence[Channel], resolved: Resolved, k: int, where: Filter | None
    ) -> tuple[Rows, Floats]:
        """As `space.answer.best`: rows and scores of the k best items for each request, (n_requests, k)."""
        rows = np.full((len(resolved), k), -1, dtype=np.int64)
        scores = np.full((len(resolved), k), -np.inf, dtype=np.float32)
        for place in range(len(resolved)):
            _, ranking = self.ranking(channels, resolved, place, k, where)
            rows[place, : len(ranking.rows)] = ranking.rows
            scores[place, : len(ranking.rows)] = ranking.scores
        return rows, scores

    def ranking(
        self, channels: Sequence[Channel], resolved: Resolved, place: int, k: int, where: Filter | None
    ) -> tuple[Wanted, Ranking]:
        """One request as the store takes it, and the store's answer."""
        heard = [channel for channel in channels if resolved.take([place]).hears(channel)]
        check = lowered(where, self.version.shape.types)
        wanted = wanted_of(heard, resolved, place, k=k, depth=max(self.depth, DEPTH * k), where=check)
        return wanted, answer(self.version, wanted)

    def nearest(self, vectors: Mapping[str, Floats], k: int, where: Filter | None) -> tuple[Rows, Floats]:
        """The k best items by vectors over the blocks alone."""
        parts = [Part(name, name, vector[None]) for name, vector in vectors.items() if vector.any()]
        check = lowered(where, self.version.shape.types)
        found = answer(self.version, Wanted(parts, k, max(self.depth, DEPTH * k), where=check, flag=SEARCHABLE))
        return found.rows, found.scores

    def close(self) -> None:
        """Give back connections and what is mapped."""
        self.version.close()
        self.store.close()

    def count(self, name: str, where: Filter | None) -> dict[Any, int]:
        """How many items that can be found and pass a filter have each value of a field."""
        return self.version.count(name, Narrowed(lowered(where, self.version.shape.types), SEARCHABLE))


def put(space: Any, store: Store, *, keep: int = KEPT) -> None:
    """Write a space that is in memory into a store, make it the current version, and drop old ones.

    Raises:
        StoreError: the store cannot be reached.
    """
    if space.space_id not in store.versions():
        shape = shape_of(space)
        store.write(space.space_id, shape, batches_of(space, shape))
    switch(space.space_id, store, keep=keep)


def switch(version: str, store: Store, *, keep: int = KEPT) -> None:
    """Make a version the current one; of the others the last that was written stays."""
    before = store.current()
    store.switch(version)
    old = [name for name in store.versions() if name not in (version, before)]
    spare = max(0, keep - len({version, before} - {None}))
    for name in old[: len(old) - spare] if spare else old:
        store.drop(name)


def opened(config: StoreConfig, folder: Path, version: str) -> OnStore | None:
    """The version of a space in its store; None where its vectors are in memory."""
    store = open_store(config, folder)
    return None if store is None else OnStore(store, store.version(version), config.depth)


def config_of(root: Path, given: Mapping[str, Any] | None, environment: Mapping[str, str] | None = None) -> StoreConfig:
    """Which store a run's space is in: what is given, else what the environment says, else its configuration.

    Raises:
        ConfigError: it is said in a way that does not fit.
    """
    run = RunLayout(root)
    return store_of(given, os.environ if environment is None else environment, run.config)


def check_words(space: Any) -> None:
    """Refuse a version that numbers the catalog's words otherwise than this antiphon does.

    Raises:
        MismatchError: it was written by another antiphon.
    """
    if space.on_store.version.shape.notes["dictionary"] != words_digest(space.dictionary):
        raise MismatchError(
            f"the store has the version {space.space_id} as another antiphon wrote it; write it again with: "
            "antiphon store RUN --again"
        )
