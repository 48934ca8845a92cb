"""Space: what is published and loaded, and the one path that answers every query.

`rank` embeds queries, applies filters and asks the index. Search, recommendation, the command line, the service and
the evaluation all come through it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from antiphon import storage
from antiphon.errors import IntegrityError, MismatchError, QueryError, RunError, UnknownIdError, nearest
from antiphon.explain import matched_values, shares
from antiphon.features import unit
from antiphon.fields import Column, FieldType, field_table
from antiphon.filters import Where, matches, parse_filter
from antiphon.index.base import Index
from antiphon.joint import JointModel
from antiphon.layout import FORMAT, RunLayout, SpaceLayout
from antiphon.publish import space_id_of
from antiphon.query import Hit, Query
from antiphon.registry import find

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Embedding:
    """A query as a vector, (dim,) float32, unit L2, and the id of the space that it belongs to."""

    space_id: str
    vector: Floats


@dataclass(frozen=True)
class Users:
    """Positive items of the catalog's users: user u has items[bounds[u]:bounds[u + 1]] with as many weights."""

    row_of: Mapping[str, int]
    bounds: NDArray[np.int64]
    items: NDArray[np.int32]
    weights: Floats


class Space:
    """A published space in memory: vectors, items, fields, and the query side of each modality.

    Make one with `load`. `vectors` is (n_items, dim) float32, unit L2, memory-mapped; `parts` is (n_modalities,
    n_items, dim) float32, the projections that the vectors are the mean of.
    """

    def __init__(self, layout: SpaceLayout, manifest: Mapping[str, Any]) -> None:
        self.layout, self.manifest = layout, manifest
        self.space_id: str = manifest["space_id"]
        self.modalities: tuple[str, ...] = tuple(manifest["order"])
        self.model = JointModel.load(layout.model)
        self.vectors: Floats = storage.read_array(layout.vectors, mmap=True)
        # A version in use is not removed: users and query encoders are read when they are asked for.
        self._held = storage.hold(layout.vectors)
        self.parts: Floats = storage.read_array(layout.parts, mmap=True)
        self.present: NDArray[np.bool_] = storage.read_array(layout.present)
        items = storage.read_table(layout.items)
        self.item_ids: list[str] = items["item_id"].to_pylist()
        self.titles: list[str] = items["title"].to_pylist()
        self.fields: pa.Table = storage.read_table(layout.fields)
        self._check_shapes()
        self.searchable: NDArray[np.bool_] = np.asarray(self.present.any(axis=0))
        self.index: Index = find("antiphon.indexes", manifest["index"])(self.vectors)

    @property
    def n_items(self) -> int:
        """Number of items, searchable or not."""
        return len(self.item_ids)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """Row of each item id."""
        return {item_id: row for row, item_id in enumerate(self.item_ids)}

    @cached_property
    def field_types(self) -> dict[str, FieldType]:
        """Fields that filters may use, with their types."""
        return dict(self.manifest["field_types"])

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Fields made ready for filters."""
        return field_table(self.fields, self.field_types)

    @cached_property
    def users(self) -> Users | None:
        """Users of the catalog; None where it has no interactions."""
        if not self.layout.users.is_file():
            return None
        ids = storage.read_table(self.layout.users)["user_id"].to_pylist()
        arrays = (self.layout.user_bounds, self.layout.user_items, self.layout.user_weights)
        return Users({user_id: row for row, user_id in enumerate(ids)}, *map(storage.read_array, arrays))

    @cached_property
    def _sides(self) -> dict[str, tuple[str, Any]]:
        """Query kind -> (modality, its query side); the first modality that accepts a kind has it."""
        sides: dict[str, tuple[str, Any]] = {}
        for modality in self.modalities:
            info = self.manifest["modalities"][modality]
            if info["accepts"] is not None and info["accepts"] not in sides:
                side = find("antiphon.encoders", info["encoder"]).query_side(self.layout.query_side(modality))
                sides[info["accepts"]] = (modality, side)
        return sides

    def warm(self) -> None:
        """Load the query encoders now, not at the first request."""
        for _, side in self._sides.values():
            if hasattr(side, "warm"):
                side.warm()

    def search(
        self,
        text: str | None = None,
        *,
        likes: Sequence[str] = (),
        dislikes: Sequence[str] = (),
        user: str | None = None,
        history: Sequence[str] = (),
        where: Where | None = None,
        weights: Mapping[str, float] | None = None,
        k: int = 10,
        offset: int = 0,
        exclude: Sequence[str] = (),
        explain: bool = False,
    ) -> list[Hit]:
        """Answers to a request, best first; see `Query` for what each part means.

        Raises:
            QueryError: the request is empty, names unknown ids or fields, or asks for too many results.
        """
        query = Query(
            text=text,
            likes=_strings(likes, "likes"),
            dislikes=_strings(dislikes, "dislikes"),
            user=user,
            history=_strings(history, "history"),
            where=None if where is None else parse_filter(where),
            weights=weights or {},
            k=k,
            offset=offset,
            exclude=_strings(exclude, "exclude"),
            explain=explain,
        )
        return self.answer(query)

    def similar(self, item_id: str, *, k: int = 10, where: Where | None = None, explain: bool = False) -> list[Hit]:
        """Items like one item.

        Raises:
            UnknownIdError: the catalog does not have the item.
        """
        return self.search(likes=[item_id], k=k, where=where, explain=explain)

    def answer(self, query: Query) -> list[Hit]:
        """Answers to one query, best first."""
        vectors = self.embed_many([query])
        rows, scores = self._find(vectors, [query])
        wanted = slice(query.offset, query.offset + query.k)
        found = [(row, score) for row, score in zip(rows[0, wanted], scores[0, wanted], strict=True) if row >= 0]
        return self._hits(query, vectors[0], found)

    def rank(self, queries: Sequence[Query], k: int) -> tuple[Rows, Floats]:
        """Rows and scores of the k best items for each query, (n_queries, k); -1 and -inf where there are fewer."""
        rows, scores = self._find(self.embed_many(queries), queries, k)
        return rows, scores

    def embed(self, query: Query) -> Embedding:
        """The query as a vector, to keep or to send."""
        return Embedding(self.space_id, self.embed_many([query])[0])

    def search_embedding(self, embedding: Embedding, *, where: Where | None = None, k: int = 10) -> list[Hit]:
        """Answers to a query that was embedded before.

        Raises:
            MismatchError: it was embedded by another space.
        """
        if embedding.space_id != self.space_id:
            raise MismatchError(
                f"the vector is of the space {embedding.space_id}, but this is {self.space_id}; embed the query again."
            )
        allowed = self._allowed(None if where is None else parse_filter(where))
        rows, scores = self.index.search(embedding.vector[None], k, allowed=allowed)
        found = [(row, score) for row, score in zip(rows[0], scores[0], strict=True) if row >= 0]
        return [self._hit(rank, row, score) for rank, (row, score) in enumerate(found, 1)]

    def embed_many(self, queries: Sequence[Query]) -> Floats:
        """Vectors of queries, (n_queries, dim) float32, unit L2: the weighted sum of their parts, each of unit length.

        Raises:
            QueryError: a part that the space cannot embed, unknown ids, or parts that cancel out.
        """
        total = np.zeros((len(queries), self.dim), dtype=np.float32)
        self._add_texts(total, queries)
        self._add_tastes(total, queries)
        for row, query in enumerate(queries):
            total[row] += query.weight("likes") * self._mean(query.likes)
            total[row] -= query.weight("dislikes") * self._mean(query.dislikes)
            total[row] += query.weight("user") * self._mean_of_rows(self._known(query)[0])
        vectors = unit(total)
        if not np.all(np.abs(vectors).sum(axis=1) > 0):
            raise QueryError(
                "nothing is left of the request: its weights are 0, its parts cancel out, or its items have no vectors."
            )
        return vectors

    def _add_texts(self, total: Floats, queries: Sequence[Query]) -> None:
        rows = [row for row, query in enumerate(queries) if query.text is not None and query.weight("text") > 0]
        if not rows:
            return
        modality, side = self._side("text")
        vectors = self.model.project(modality, side.encode([str(queries[row].text) for row in rows]))
        total[rows] += np.array([queries[row].weight("text") for row in rows], dtype=np.float32)[:, None] * vectors

    def _add_tastes(self, total: Floats, queries: Sequence[Query]) -> None:
        rows = [row for row, query in enumerate(queries) if query.weight("taste") > 0]
        histories = [self._known(queries[row]) for row in rows]
        rows = [row for row, (items, _) in zip(rows, histories, strict=True) if len(items)]
        if not rows:
            return
        modality, side = self._side("history")
        encoded = side.encode([history for history in histories if len(history[0])])
        # A history of items that collaborative filtering does not know says nothing; its projection would be the bias.
        vectors = np.where(encoded.any(axis=1, keepdims=True), self.model.project(modality, encoded), 0)
        total[rows] += np.array([queries[row].weight("taste") for row in rows], dtype=np.float32)[:, None] * vectors

    def _side(self, kind: str) -> tuple[str, Any]:
        if kind not in self._sides:
            raise QueryError(
                f"this space cannot answer a {kind} query: none of its modalities ({', '.join(self.modalities)}) can."
            )
        return self._sides[kind]

    def _known(self, query: Query) -> tuple[NDArray[np.int32], Floats]:
        """Rows and weights of what the query's user and history have."""
        rows = [self._rows_of(query.history)]
        weights = [np.ones(len(query.history), dtype=np.float32)]
        if query.user is not None:
            start, end = self._user_bounds(query.user)
            assert self.users is not None  # noqa: S101  _user_bounds raises where there are none
            rows.append(self.users.items[start:end])
            weights.append(self.users.weights[start:end])
        return np.concatenate(rows).astype(np.int32), np.concatenate(weights)

    def _user_bounds(self, user_id: str) -> tuple[int, int]:
        if self.users is None:
            raise UnknownIdError("the catalog has no interactions, so it knows no users; give likes or a history.")
        if user_id not in self.users.row_of:
            raise UnknownIdError(
                f"the catalog has no user {user_id!r}; give the items that the person likes as likes or history."
            )
        row = self.users.row_of[user_id]
        start, end = int(self.users.bounds[row]), int(self.users.bounds[row + 1])
        if start == end:
            raise QueryError(f"the user {user_id!r} has no positive interactions to recommend from.")
        return start, end

    def _rows_of(self, item_ids: Sequence[str]) -> NDArray[np.int32]:
        for item_id in item_ids:
            if item_id not in self.row_of:
                raise UnknownIdError(f"the catalog has no item {item_id!r}; {_hint(item_id, self.row_of)}")
        return np.array([self.row_of[item_id] for item_id in item_ids], dtype=np.int32)

    def _mean(self, item_ids: Sequence[str]) -> Floats:
        rows = self._rows_of(item_ids)
        bare = [item_ids[i] for i, row in enumerate(rows) if not self.searchable[row]]
        if bare:
            raise QueryError(f"the item {bare[0]!r} has no vector of any modality, so nothing can be compared with it.")
        return self._mean_of_rows(rows)

    def _mean_of_rows(self, rows: NDArray[np.int32]) -> Floats:
        if len(rows) == 0:
            return np.zeros(self.dim, dtype=np.float32)
        return unit(np.asarray(self.vectors[rows]).mean(axis=0))

    def _find(self, vectors: Floats, queries: Sequence[Query], k: int | None = None) -> tuple[Rows, Floats]:
        """Search groups of queries that share a filter."""
        depth = k or max(query.k + query.offset for query in queries)
        rows = np.full((len(queries), depth), -1, dtype=np.int64)
        scores = np.full((len(queries), depth), -np.inf, dtype=np.float32)
        groups: dict[str, list[int]] = {}
        for position, query in enumerate(queries):
            groups.setdefault(repr(query.where), []).append(position)
        for members in groups.values():
            allowed = self._allowed(queries[members[0]].where)
            exclude = [self._hidden(queries[position]) for position in members]
            rows[members], scores[members] = self.index.search(
                vectors[members], depth, allowed=allowed, exclude=exclude
            )
        return rows, scores

    def _allowed(self, where: Any) -> NDArray[np.bool_] | None:
        if where is None:
            return None if self.searchable.all() else self.searchable
        return matches(where, self.columns) & self.searchable

    def _hidden(self, query: Query) -> Rows:
        named = self._rows_of((*query.likes, *query.dislikes, *query.exclude))
        return np.concatenate([named, self._known(query)[0]]).astype(np.int64)

    def _hits(self, query: Query, vector: Floats, found: Sequence[tuple[int, float]]) -> list[Hit]:
        hits = []
        for rank, (row, score) in enumerate(found, query.offset + 1):
            why = shares(vector, self.parts[:, row], self.modalities) if query.explain else None
            hits.append(self._hit(rank, row, score, why, query if query.explain else None))
        return hits

    def _hit(
        self, rank: int, row: int, score: float, why: Mapping[str, float] | None = None, query: Query | None = None
    ) -> Hit:
        fields = {name: self.fields[name][int(row)].as_py() for name in self.field_types}
        matched = None if query is None else matched_values(fields, query.text, query.where)
        return Hit(rank, self.item_ids[row], self.titles[row], float(score), fields, why, matched)

    def _check_shapes(self) -> None:
        n_items, n_modalities = len(self.item_ids), len(self.modalities)
        expected = (n_modalities, n_items, self.model.dim)
        if self.vectors.shape != expected[1:] or self.parts.shape != expected or self.present.shape != expected[:2]:
            raise IntegrityError(f"{self.layout.root}: vectors and items do not fit each other; build the run again.")
        if self.fields.num_rows != n_items:
            raise IntegrityError(f"{self.layout.root}: fields and items do not fit each other; build the run again.")


def load(path: str | Path) -> Space:
    """Load the current space of a run's folder, or one version's folder, after checking every file.

    Raises:
        RunError: there is no such run, or it has no published space.
        IntegrityError: a file is missing, incomplete, or not the one that was published.
    """
    root = Path(path)
    if not root.is_dir():
        raise RunError(f"there is no run at {root}; build one with: antiphon build antiphon.toml --run {root}")
    run = RunLayout(root)
    if run.current.is_file():
        root = run.spaces / run.current.read_text(encoding="utf-8").strip()
    elif not SpaceLayout(root).manifest.is_file() or run.config.is_file():
        raise RunError(
            f"{root} has no published space yet; finish its build with: antiphon build antiphon.toml --run {root}"
        )
    layout = SpaceLayout(root)
    manifest = storage.read_json(layout.manifest)
    _verify(layout, manifest)
    return Space(layout, manifest)


def _verify(layout: SpaceLayout, manifest: Mapping[str, Any]) -> None:
    if manifest.get("format") != FORMAT:
        raise MismatchError(
            f"{layout.root} has the format {manifest.get('format')}, this antiphon reads {FORMAT}; build the run again."
        )
    if space_id_of(manifest["files"]) != manifest["space_id"]:
        raise MismatchError(f"{layout.manifest}: the space id does not fit the files it names; build the run again.")
    for name, expected in manifest["files"].items():
        path = layout.root / name
        if not path.is_file():
            raise IntegrityError(f"{path} is missing; build the run again.")
        if storage.sha256(path) != expected:
            raise IntegrityError(
                f"{path} is not the file that was published (its SHA-256 differs); build the run again."
            )


def _strings(values: Sequence[str], name: str) -> tuple[str, ...]:
    if isinstance(values, str):
        raise QueryError(f"{name} is a list of item ids, got the text {values!r}; write [{values!r}].")
    return tuple(str(value) for value in values)


def _hint(item_id: str, known: Mapping[str, int]) -> str:
    # A full search for near ids is slow in a large catalog, and ids are rarely misspelt words.
    return nearest(item_id, list(known)[:2000]) if len(known) <= 2000 else "ids are those of the items file."
