"""Qdrant: a version is a collection with a named vector for each block, and terms as sparse vectors.

With a `path`, or with neither, the engine runs inside this process (qdrant-edge-py) and keeps its versions in a folder;
with a `url` a server or a cluster is asked through qdrant-client. Both are asked the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from pydantic import BaseModel, Field

from antiphon.config.sections import Section
from antiphon.errors import AntiphonError, StoreError
from antiphon.numbers.vectors import best_met
from antiphon.stores import documents
from antiphon.stores.contract import (
    MISSING,
    PASSAGES,
    VERSION,
    Batch,
    Floats,
    Narrowed,
    Part,
    Ragged,
    Rows,
    Shape,
    Store,
    Version,
    checked_name,
    no_version,
)
from antiphon.stores.filters import is_number, values_of
from antiphon.stores.qdrant_queries import (
    FIELDS,
    ITEM,
    MARKS,
    TITLE,
    Engine,
    condition,
    fields_of,
    searches,
)

T = TypeVar("T")
MANY = 10_000_000
"""Values of a field that are counted."""


class QdrantOptions(Section):
    """[store] with kind = "qdrant"."""

    path: Path | None = Field(None, description="folder of the embedded engine; store/ in the run's where not given")
    url: str | None = Field(None, description="of a server or a cluster, such as http://host:6333")
    api_key: str | None = Field(None, description="of the server; ANTIPHON_STORE_KEY goes before")
    exact_below: int = Field(20_000, ge=0, description="items up to which no graph is made, and all are looked at")
    ef: int = Field(0, ge=0, description="width of a search of the graphs; as many as are wanted where it is 0")
    shards: int = Field(1, ge=1, description="shards of a collection in a cluster")
    replicas: int = Field(1, ge=1, description="copies of each shard in a cluster")
    timeout: float = Field(10.0, gt=0, description="seconds that one request to a server may take")


class Qdrant(Store):
    """Versions in a folder or on a server."""

    options: ClassVar[type[BaseModel]] = QdrantOptions

    def __init__(self, name: str, place: Any) -> None:
        self.name, self.place = name, place

    @classmethod
    def open(cls, name: str, options: QdrantOptions, folder: Path) -> Self:
        """Open the folder or the connection."""
        checked_name(name)
        if options.url is not None:
            from antiphon.stores.qdrant_server import ServerPlace

            return cls(name, asked(lambda: ServerPlace.open(name, options)))
        from antiphon.stores.qdrant_edge import EdgePlace

        return cls(name, asked(lambda: EdgePlace.open((options.path or folder) / name, options)))

    def write(self, version: str, shape: Shape, batches: Iterable[Batch]) -> None:
        """Points of all batches, then what makes them fast, then the word that it is whole."""
        checked_name(version, VERSION)
        asked(lambda: self.place.write(version, shape, (list(points_of(shape, batch)) for batch in batches)))

    def switch(self, version: str) -> None:
        """One file, or one alias, is replaced."""
        if version not in self.versions():
            raise no_version(version, self.versions())
        asked(lambda: self.place.switch(version))

    def current(self) -> str | None:
        """What the file or the alias names."""
        found: str | None = asked(self.place.current)
        return found

    def versions(self) -> list[str]:
        """By the time of their writing."""
        found: list[str] = asked(self.place.versions)
        return found

    def version(self, version: str) -> Version:
        """A version; a broken one is opened again at the next request."""
        found = asked(lambda: self.place.shape(version))
        if found is None:
            raise no_version(version, self.versions())
        shape = Shape.of(found)
        return QdrantVersion(shape, lambda: self.place.engine(version, shape))

    def drop(self, version: str) -> None:
        """Remove the folder, or the collection."""
        asked(lambda: self.place.drop(checked_name(version, VERSION)))

    def check(self) -> None:
        """Ask which version is current."""
        asked(self.place.check)

    def close(self) -> None:
        """Close the connection."""
        asked(self.place.close)


class QdrantVersion(Version):
    """One collection; `open_` opens it."""

    def __init__(self, shape: Shape, open_: Callable[[], Engine]) -> None:
        self.shape, self._open = shape, open_
        self._engine: Engine | None = asked(open_)

    def nearest(self, parts: Sequence[Part], n: int, narrowed: Narrowed) -> list[Rows]:
        """A batch of searches."""

        def work(engine: Engine) -> list[Rows]:
            listed = searches(parts, condition(narrowed, self.shape, engine.dialect), n, exact=False)
            found: list[list[int]] = [[] for _ in parts]
            for (place, _), points in zip(listed, engine.query([one for _, one in listed]), strict=True):
                found[place] += [row for row, _ in points]
            return [np.unique(np.array(rows, dtype=np.int64)) for rows in found]

        return self._ask(work)

    def scores(self, parts: Sequence[Part], rows: Rows) -> Floats:
        """The same searches among these rows, exact."""

        def work(engine: Engine) -> Floats:
            where = condition(Narrowed(), self.shape, engine.dialect, among=rows)
            listed = searches(parts, where, len(rows), exact=True)
            place_of = {row: place for place, row in enumerate(rows.tolist())}
            lines: list[list[Floats]] = [[] for _ in parts]
            for (place, search), points in zip(listed, engine.query([one for _, one in listed]), strict=True):
                line = np.full(len(rows), MISSING if search.many else 0, dtype=np.float32)
                for row, score in points:
                    line[place_of[row]] = score
                lines[place].append(line)
            return np.stack([best_met(np.stack(found)) for found in lines])

        return self._ask(work)

    def first(self, n: int, narrowed: Narrowed) -> Rows:
        """By their numbers."""
        found = self._ask(lambda engine: engine.scroll(n, condition(narrowed, self.shape, engine.dialect)))
        return np.array([row for row, _ in found], dtype=np.int64)

    def passing(self, rows: Rows, narrowed: Narrowed) -> Rows:
        """Among these rows."""
        found = self._ask(
            lambda engine: engine.scroll(len(rows), condition(narrowed, self.shape, engine.dialect, among=rows))
        )
        return np.sort(np.array([row for row, _ in found], dtype=np.int64))

    def vectors(self, name: str, rows: Rows) -> Floats:
        """By their numbers."""
        found = self._ask(lambda engine: engine.vectors(name, rows))
        length = {**self.shape.blocks, **self.shape.kept}[name]
        result = np.zeros((len(rows), length), dtype=np.float32)
        for place, row in enumerate(rows.tolist()):
            result[place] = found[row]
        return result

    def passages(self, rows: Rows) -> Ragged:
        """By their numbers."""
        found = self._ask(lambda engine: engine.vectors(PASSAGES, rows))
        length = self.shape.passages
        lists = [np.asarray(found.get(row, []), dtype=np.float32).reshape(-1, length) for row in rows.tolist()]
        bounds = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
        return Ragged(bounds, np.concatenate(lists) if lists else np.zeros((0, length), dtype=np.float32))

    def fetch(self, rows: Rows) -> list[dict[str, Any]]:
        """What the points say."""
        found = self._ask(lambda engine: engine.payloads(rows))
        return [
            {"item_id": one[ITEM], "title": one[TITLE], "fields": documents.read(one[FIELDS], self.shape.types)}
            for one in (found[row] for row in rows.tolist())
        ]

    def count(self, name: str, narrowed: Narrowed) -> dict[Any, int]:
        """Words by the engine's own counts; numbers, which it does not count, by a look at each."""
        key = fields_of(self.shape)[name]

        def work(engine: Engine) -> dict[Any, int]:
            where = condition(narrowed, self.shape, engine.dialect)
            if not is_number(self.shape.types[name]):
                return engine.facet(key, where)
            points = engine.scroll(self.shape.n_items, where, [key])
            return dict(Counter(float(payload[key]) for _, payload in points if payload.get(key) is not None))

        return self._ask(work)

    def close(self) -> None:
        """Give the engine back."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _ask(self, work: Callable[[Engine], T]) -> T:
        def once() -> T:
            engine = self._engine
            if engine is None:
                engine = self._engine = self._open()
            return work(engine)

        try:
            return asked(once)
        except StoreError:
            self.close()
            raise


def points_of(shape: Shape, batch: Batch) -> Iterable[tuple[int, dict[str, Any], dict[str, Any]]]:
    """Row, vectors by name and payload of each item of a batch; terms are pairs of ids and weights."""
    keys = fields_of(shape)
    for place in range(len(batch)):
        fields = batch.fields[place]
        vectors: dict[str, Any] = {name: batch.vectors[name][place].tolist() for name in (*shape.blocks, *shape.kept)}
        for kind in shape.terms:
            held = batch.terms[kind].of(place)
            vectors[kind] = (batch.terms[kind].ids[held].tolist(), batch.terms[kind].values[held].tolist())
        if batch.passages is not None and (held := batch.passages.of(place)).stop > held.start:
            vectors[PASSAGES] = batch.passages.values[held].tolist()
        payload: dict[str, Any] = {
            ITEM: batch.item_ids[place], TITLE: batch.titles[place], FIELDS: documents.written(fields, shape.types),
        }  # fmt: skip
        payload[MARKS] = [name for name in shape.flags if batch.flags[name][place]]
        for name, kind in shape.types.items():
            values = values_of(fields.get(name), kind)
            if values:
                payload[keys[name]] = values[0] if is_number(kind) else values
        yield batch.start + place, vectors, payload


def asked(work: Callable[[], T]) -> T:
    """What the engine answers.

    Raises:
        StoreError: it cannot be reached, or refuses.
    """
    try:
        return work()
    except AntiphonError:
        raise
    except Exception as error:  # the engine raises nothing more telling
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise StoreError(f"the Qdrant store does not answer ({reason}); is it there, and is it running?") from error
