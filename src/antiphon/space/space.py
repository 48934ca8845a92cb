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

from antiphon.base import storage
from antiphon.base.layout import FORMAT, RunLayout, SpaceLayout, space_id_of
from antiphon.base.registry import find
from antiphon.channels.facets import Facets
from antiphon.channels.mixture import Mixture, shares_of
from antiphon.channels.rerank import Reranking
from antiphon.channels.taste import Taste
from antiphon.channels.words import Lexical
from antiphon.errors import IntegrityError, MismatchError, QueryError, RunError
from antiphon.joint.model import JointModel
from antiphon.numbers.index import Index
from antiphon.query.columns import Column, FieldType, field_table
from antiphon.query.filters import Where, matches, parse_filter
from antiphon.query.hits import Hit
from antiphon.query.request import MediaFile, MediaInput, Query
from antiphon.space.added import Channels
from antiphon.space.embedder import Block, QueryEmbedder, Users
from antiphon.space.explain import matched_values, shares

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Embedding:
    """A query as a vector over the blocks, (width,) float32, and the id of the space that it belongs to."""

    space_id: str
    vector: Floats


@dataclass(frozen=True)
class Asked:
    """Queries made ready: vectors (n, width), encoded texts (n, in), and what each channel adds (n, n_items)."""

    queries: Sequence[Query]
    vectors: Floats
    encoded: Floats | None
    added: Mapping[str, Floats]

    def bias(self, members: Sequence[int]) -> Floats | None:
        """What the channels add to the scores of some of the queries."""
        parts = list(self.added.values())
        if not parts:
            return None
        total = parts[0][members]
        for part in parts[1:]:
            total = total + part[members]
        return total


class Space:
    """A published space in memory: vectors, items, fields, and the query side of each modality.

    Make one with `load`. `vectors` is (n_items, dim) float32, unit L2: the joint space. `blocks` is (n_items, width)
    float32, what is searched: the joint vectors, then the factors of taste. `parts` is (n_modalities, n_items, dim)
    float32: the weighted projections that the joint vectors are the normalised sum of. All are memory-mapped.
    """

    def __init__(self, layout: SpaceLayout, manifest: Mapping[str, Any]) -> None:
        self.layout, self.manifest = layout, manifest
        self.space_id: str = manifest["space_id"]
        self.modalities: tuple[str, ...] = tuple(manifest["order"])
        self.model = JointModel.load(layout.model)
        self.mixture = Mixture.load(layout.mixture)
        self.blocks: Floats = storage.read_array(layout.vectors, mmap=True)
        self.vectors: Floats = self.blocks[:, slice(*manifest["blocks"]["joint"])]
        # A version in use is not removed: users and query encoders are read when they are asked for.
        self._held = storage.Hold(layout.vectors)
        self.parts: Floats = storage.read_array(layout.parts, mmap=True)
        self.present: NDArray[np.bool_] = storage.read_array(layout.present)
        items = storage.read_table(layout.items)
        self.item_ids: list[str] = items["item_id"].to_pylist()
        self.titles: list[str] = items["title"].to_pylist()
        self.fields: pa.Table = storage.read_table(layout.fields)
        self._check_shapes()
        self.searchable: NDArray[np.bool_] = np.asarray(self.present.any(axis=0))
        self.index: Index = find("antiphon.indexes", manifest["index"])(self.blocks)

    @property
    def n_items(self) -> int:
        """Number of items, searchable or not."""
        return len(self.item_ids)

    @property
    def dim(self) -> int:
        """Length of a joint vector."""
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
    def lexical(self) -> Lexical | None:
        """The lexical index; None for a space without one."""
        return Lexical.load(self.layout.lexical, self.n_items) if self.layout.lexical.is_dir() else None

    @cached_property
    def facets(self) -> Facets | None:
        """The facet channel; None for a space without one."""
        return Facets.load(self.layout.facets) if self.layout.facets.is_dir() else None

    @cached_property
    def channels(self) -> Channels:
        """What texts add beside their vectors."""
        return Channels(self.lexical, self.facets, self.mixture, self.searchable, self._reranking())

    @cached_property
    def embedder(self) -> QueryEmbedder:
        """What makes vectors of queries."""
        blocks = {
            name: Block(
                slice(*columns), storage.read_array(self.layout.covariance(name)) if self.mixture.standardise else None
            )
            for name, columns in self.manifest["blocks"].items()
        }
        return QueryEmbedder(
            row_of=self.row_of,
            joint=self.vectors,
            searchable=self.searchable,
            model=self.model,
            sides=self._sides,
            users=self.users,
            taste=Taste.load(self.layout.taste) if self.layout.taste.is_dir() else None,
            blocks=blocks,
            mixture=self.mixture,
        )

    def _reranking(self) -> Reranking | None:
        taste = self.embedder.taste
        if taste is None or taste.reranker is None or not self.mixture.rerank > 0:
            return None
        blocks = self.manifest["blocks"]
        items = {name: self.blocks[:, slice(*blocks[name])] for name in taste.reranker.blocks}
        return Reranking(taste.reranker, items, taste.users, shares_of(self.mixture, "reranked"))

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

    def accepts(self, kind: str) -> bool:
        """Whether the space answers queries of a kind: "text", "image", "audio" or "history"."""
        return any(self.manifest["modalities"][name]["accepts"] == kind for name in self.modalities)

    def warm(self) -> None:
        """Load the query encoders now, not at the first request."""
        for _, side in self._sides.values():
            if hasattr(side, "warm"):
                side.warm()
        if self.lexical is not None:
            self.lexical.scores(["warm"])
        _ = self.facets

    def search(
        self,
        text: str | None = None,
        *,
        image: MediaInput | None = None,
        audio: MediaInput | None = None,
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
        """Answers to a request, best first; see `Query` for what each part means. `image`, `audio`: a path or bytes.

        Raises:
            QueryError: the request is empty, names unknown ids or fields, or asks for too many results.
        """
        query = Query(
            text=text,
            image=None if image is None else MediaFile.of(image, "image"),
            audio=None if audio is None else MediaFile.of(audio, "audio"),
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
        asked = self.ask([query])
        rows, scores = self.find(asked, query.offset + query.k)
        wanted = slice(query.offset, query.offset + query.k)
        found = [(row, score) for row, score in zip(rows[0, wanted], scores[0, wanted], strict=True) if row >= 0]
        return self._hits(asked, found)

    def rank(self, queries: Sequence[Query], k: int) -> tuple[Rows, Floats]:
        """Rows and scores of the k best items for each query, (n_queries, k); -1 and -inf where there are fewer."""
        return self.find(self.ask(queries), k)

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
        return [self._hit(rank, row, score, self._fields(row)) for rank, (row, score) in enumerate(found, 1)]

    def embed_many(self, queries: Sequence[Query]) -> Floats:
        """Vectors of queries, (n_queries, width) float32; see `QueryEmbedder.embed`."""
        return self.embedder.embed(queries)

    def ask(self, queries: Sequence[Query]) -> Asked:
        """Queries made ready: texts, files and items as vectors, and what the channels add."""
        encoded = self.embedder.encode_texts(queries)
        folded = self.embedder.fold(queries)
        vectors = self.embedder.embed(queries, encoded, folded)
        liked = [self.embedder.rows(query.likes) for query in queries]
        return Asked(queries, vectors, encoded, self.channels.added(queries, encoded, liked, folded))

    def find(self, asked: Asked, k: int) -> tuple[Rows, Floats]:
        """Rows and scores of the k best items for each query, as `rank` gives them."""
        rows = np.full((len(asked.queries), k), -1, dtype=np.int64)
        scores = np.full((len(asked.queries), k), -np.inf, dtype=np.float32)
        groups: dict[tuple[str, bool], list[int]] = {}
        for position, query in enumerate(asked.queries):
            reordered = query.only_history and self.channels.reranking is not None
            speaks = query.has_text or bool(query.likes) or reordered
            groups.setdefault((repr(query.where), speaks), []).append(position)
        for (_, speaks), members in groups.items():
            chosen = [asked.queries[position] for position in members]
            rows[members], scores[members] = self.index.search(
                asked.vectors[members],
                k,
                allowed=self._allowed(chosen[0].where),
                exclude=[self._hidden(query) for query in chosen],
                bias=asked.bias(members) if speaks else None,
            )
        return rows, scores

    def _allowed(self, where: Any) -> NDArray[np.bool_] | None:
        if where is None:
            return None if self.searchable.all() else self.searchable
        return matches(where, self.columns) & self.searchable

    def _hidden(self, query: Query) -> Rows:
        named = self.embedder.rows((*query.likes, *query.dislikes, *query.exclude))
        return np.concatenate([named, self.embedder.known(query)[0]]).astype(np.int64)

    def _hits(self, asked: Asked, found: Sequence[tuple[int, float]]) -> list[Hit]:
        query, hits = asked.queries[0], []
        understood: Sequence[tuple[str, str]] = ()
        if query.explain and self.facets is not None and asked.encoded is not None:
            understood = [self.facets.names[facet] for facet, _ in self.facets.understood(asked.encoded[0])]
        for rank, (row, score) in enumerate(found, query.offset + 1):
            fields = self._fields(row)
            if not query.explain:
                hits.append(self._hit(rank, row, score, fields))
                continue
            matched = matched_values(fields, query.text, query.where, understood)
            hits.append(self._hit(rank, row, score, fields, shares(self._contributions(asked, row)), matched))
        return hits

    def _contributions(self, asked: Asked, row: int) -> dict[str, float]:
        """What each modality, the taste, the words and the facets add to an item's score; they sum to it.

        The joint vector is the normalised sum of its parts, so its inner product is the sum of theirs, up to a norm.
        """
        vector, blocks = asked.vectors[0], self.manifest["blocks"]
        parts = np.asarray(self.parts[:, row], dtype=np.float64)
        norm = np.linalg.norm(parts.sum(axis=0)) or 1.0
        products = parts @ vector[slice(*blocks["joint"])] / norm
        result = dict(zip(self.modalities, products.tolist(), strict=True))
        rest = slice(blocks["joint"][1], None)
        if vector[rest].any():
            result["taste"] = float(np.asarray(self.blocks[row, rest], dtype=np.float64) @ vector[rest])
        for name, added in asked.added.items():
            result[name] = result.get(name, 0.0) + float(added[0, row])
        return result

    def _fields(self, row: int) -> dict[str, object]:
        return {name: self.fields[name][int(row)].as_py() for name in self.field_types}

    def _hit(
        self,
        rank: int,
        row: int,
        score: float,
        fields: Mapping[str, object],
        why: Mapping[str, float] | None = None,
        matched: Mapping[str, list[str]] | None = None,
    ) -> Hit:
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
            said = f"{path} is not the file that was published (its SHA-256 differs); build the run again."
            raise IntegrityError(said)


def _strings(values: Sequence[str], name: str) -> tuple[str, ...]:
    if isinstance(values, str):
        raise QueryError(f"{name} is a list of item ids, got the text {values!r}; write [{values!r}].")
    return tuple(str(value) for value in values)
