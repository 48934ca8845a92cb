"""Queries as vectors over the blocks of the item vectors: each part of a query finds its place and its weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.channels.mixture import Mixture, shares_of, spread_of, standardised
from antiphon.channels.taste import Taste
from antiphon.errors import QueryError, UnknownIdError, nearest
from antiphon.joint.model import JointModel
from antiphon.numbers.vectors import unit
from antiphon.query.request import MediaFile, Query

Floats = NDArray[np.float32]
Rows = NDArray[np.int32]
JOINT = "joint"
_A = {"text": "a text", "history": "a history", "image": "an image", "audio": "an audio"}


@dataclass(frozen=True)
class Users:
    """Positive items of the catalog's users: user u has items[bounds[u]:bounds[u + 1]] with as many weights."""

    row_of: Mapping[str, int]
    bounds: NDArray[np.int64]
    items: Rows
    weights: Floats

    def known(self, user_id: str) -> tuple[Rows, Floats]:
        """Item rows and weights of a user.

        Raises:
            UnknownIdError: no such user.
            QueryError: the user has no positive interactions.
        """
        if user_id not in self.row_of:
            raise UnknownIdError(
                f"the catalog has no user {user_id!r}; give the items that the person likes as likes or history."
            )
        row = self.row_of[user_id]
        held = slice(int(self.bounds[row]), int(self.bounds[row + 1]))
        if held.start == held.stop:
            raise QueryError(f"the user {user_id!r} has no positive interactions to recommend from.")
        return self.items[held], self.weights[held]


@dataclass(frozen=True)
class Block:
    """Columns of the item vectors, and their covariance over the items where queries are standardised."""

    columns: slice
    covariance: NDArray[np.float64] | None


@dataclass(frozen=True)
class Folded:
    """Histories of queries as vectors of taste: `asked` are the queries that have one, `rows` their items.

    `vectors`, `spreads`: by block, (n_asked, length), and the standard deviations of their scores, (n_asked,).
    """

    asked: Sequence[int]
    rows: Sequence[Rows]
    vectors: Mapping[str, Floats]
    spreads: Mapping[str, Floats]

    def of(self, asked: Sequence[int]) -> Folded:
        """Those of some of the queries, in their order."""
        places = np.searchsorted(self.asked, asked)
        return Folded(
            asked,
            [self.rows[place] for place in places],
            {name: part[places] for name, part in self.vectors.items()},
            {name: part[places] for name, part in self.spreads.items()},
        )


@dataclass(frozen=True)
class QueryEmbedder:
    """Makes query vectors, (n_queries, width of the item vectors) float32.

    `joint`: (n_items, dim) float32, unit L2. `sides`: query kind -> (modality, its query side).
    """

    row_of: Mapping[str, int]
    joint: Floats
    searchable: NDArray[np.bool_]
    model: JointModel
    sides: Mapping[str, tuple[str, Any]]
    users: Users | None
    taste: Taste | None
    blocks: Mapping[str, Block]
    mixture: Mixture

    def encode_texts(self, queries: Sequence[Query]) -> Floats | None:
        """The texts by the text encoder alone, (n_queries, in) float32, zeros where there is none; None without any."""
        rows = [row for row, query in enumerate(queries) if query.has_text]
        if not rows:
            return None
        encoded: Floats = self.side("text")[1].encode([str(queries[row].text) for row in rows])
        result = np.zeros((len(queries), encoded.shape[1]), dtype=np.float32)
        result[rows] = encoded
        return result

    def fold(self, queries: Sequence[Query]) -> Folded | None:
        """What the queries' users and histories have, in the blocks of taste; None where there is none of either."""
        return self._folded([self.known(query)[0] for query in queries])

    def embed(self, queries: Sequence[Query], encoded: Floats | None = None, folded: Folded | None = None) -> Floats:
        """The weighted sum of the parts of each query; `encoded`, `folded`: of `encode_texts` and `fold`, where asked.

        With a standardised mixture each part's scores have the standard deviation 1 over the catalog; else each part
        has unit length in the joint space, and so has the sum (the paper's use).

        Raises:
            QueryError: a part that the space cannot embed, unknown ids, or parts that cancel out.
        """
        total = np.zeros((len(queries), max(block.columns.stop for block in self.blocks.values())), dtype=np.float32)
        texts = [query.text for query in queries]
        self._add(total, queries, "text", JOINT, self._texts(queries, encoded))
        self._add(total, queries, "look", JOINT, self._read(queries, "look", "image", texts))
        for kind in ("image", "audio"):
            files = [getattr(query, kind) for query in queries]
            self._add(total, queries, kind, JOINT, self._read(queries, kind, kind, files))
        self._add(total, queries, "taste", JOINT, self._projected_tastes(queries))
        self._add(total, queries, "dislikes", JOINT, self._means([query.dislikes for query in queries]), sign=-1.0)
        likes = [self._listed(query.likes)[0] for query in queries]
        self._add_items(total, queries, "likes", likes, self._folded(likes))
        known = [self.known(query)[0] for query in queries]
        self._add_items(total, queries, "user", known, folded or self._folded(known))
        if not self.mixture.standardise:
            total = unit(total)
        for query, size in zip(queries, np.abs(total).sum(axis=1), strict=True):
            # A text may still be answered by its words alone.
            if not size and not query.has_text:
                raise QueryError(
                    "nothing is left of the request: its weights are 0, its parts cancel out, "
                    "or its items have no vectors."
                )
        return total

    def known(self, query: Query) -> tuple[Rows, Floats]:
        """Item rows and weights of what the query's user and history have."""
        # A history is what it is: items of it without vectors say nothing, and do not spoil the rest.
        rows = self.rows(query.history)
        weights = np.ones(len(rows), dtype=np.float32)
        if query.user is None:
            return rows, weights
        if self.users is None:
            raise UnknownIdError("the catalog has no interactions, so it knows no users; give likes or a history.")
        more, counts = self.users.known(query.user)
        return np.concatenate([rows, more]), np.concatenate([weights, counts])

    def rows(self, item_ids: Sequence[str]) -> Rows:
        """Rows of items.

        Raises:
            UnknownIdError: the catalog does not have one.
        """
        for item_id in item_ids:
            if item_id not in self.row_of:
                raise UnknownIdError(f"the catalog has no item {item_id!r}; {_hint(item_id, self.row_of)}")
        return np.array([self.row_of[item_id] for item_id in item_ids], dtype=np.int32)

    def side(self, kind: str) -> tuple[str, Any]:
        """The modality that reads queries of a kind, and its query side.

        Raises:
            QueryError: the space has none.
        """
        if kind not in self.sides:
            names = ", ".join(self.model.projections)
            raise QueryError(f"this space cannot answer {_A[kind]} query: none of its modalities ({names}) can.")
        return self.sides[kind]

    def _add(
        self, total: Floats, queries: Sequence[Query], part: str, block: str, vectors: Floats, sign: float = 1.0
    ) -> None:
        weights = np.array([sign * query.weight(part) for query in queries], dtype=np.float32)[:, None]
        total[:, self.blocks[block].columns] += weights * self._scaled(block, vectors)

    def _add_items(
        self, total: Floats, queries: Sequence[Query], part: str, known: Sequence[Rows], folded: Folded | None
    ) -> None:
        """Items that a query has, in every block that the mixture weighs for this part."""
        kinds = [self._kind(query, part) for query in queries]
        shares = {kind: shares_of(self.mixture, kind) for kind in set(kinds)}
        vectors = {JOINT: self._joint_means(known)}
        if folded is not None:
            for name, part_vectors in folded.vectors.items():
                vectors[name] = np.zeros((len(queries), part_vectors.shape[1]), dtype=np.float32)
                vectors[name][list(folded.asked)] = part_vectors
        for name in vectors.keys() & self.blocks.keys():
            weights = [
                query.weight(part) * shares[kind].get(name, 0.0) for query, kind in zip(queries, kinds, strict=True)
            ]
            scale = np.array(weights, dtype=np.float32)[:, None]
            total[:, self.blocks[name].columns] += scale * self._scaled(name, vectors[name])

    def _kind(self, query: Query, part: str) -> str:
        """Which weights of the mixture count for the items of a part."""
        if part == "likes":
            return "likes"
        return "reranked" if self.mixture.rerank > 0 and query.only_history else "history"

    def _folded(self, known: Sequence[Rows]) -> Folded | None:
        asked = [place for place, rows in enumerate(known) if len(rows)]
        if self.taste is None or not asked:
            return None
        # As in training and tuning, what was liked counts once: a play count is not a degree of liking here.
        vectors = self.taste.embed([(known[place], np.ones(len(known[place]), dtype=np.float32)) for place in asked])
        spreads = {
            name: np.ones(len(asked), dtype=np.float32) if covariance is None else spread_of(folded, covariance)
            for name, folded in vectors.items()
            if name in self.blocks
            for covariance in [self.blocks[name].covariance]
        }
        return Folded(asked, [known[place] for place in asked], vectors, spreads)

    def _scaled(self, block: str, vectors: Floats) -> Floats:
        covariance = self.blocks[block].covariance
        return vectors if covariance is None else standardised(vectors, covariance)

    def _texts(self, queries: Sequence[Query], encoded: Floats | None) -> Floats:
        encoded = self.encode_texts(queries) if encoded is None else encoded
        if encoded is None:
            return np.zeros((len(queries), self.model.dim), dtype=np.float32)
        there = encoded.any(axis=1, keepdims=True)
        return np.where(there, self.model.project(self.side("text")[0], encoded), 0).astype(np.float32)

    def _read(self, queries: Sequence[Query], part: str, kind: str, inputs: Sequence[Any]) -> Floats:
        """Projections of what a query side reads, (n_queries, dim) float32; zeros for queries without the part."""
        vectors = np.zeros((len(queries), self.model.dim), dtype=np.float32)
        rows = [row for row, query in enumerate(queries) if inputs[row] is not None and query.weight(part) > 0]
        if rows:
            modality, side = self.side(kind)
            encode = _encode_words(side) if part == "look" else side.encode
            given = [
                value.content if isinstance(value, MediaFile) else value for value in map(inputs.__getitem__, rows)
            ]
            vectors[rows] = self.model.project(modality, encode(given))
        return vectors

    def _projected_tastes(self, queries: Sequence[Query]) -> Floats:
        vectors = np.zeros((len(queries), self.model.dim), dtype=np.float32)
        histories = {row: self.known(query) for row, query in enumerate(queries) if query.weight("taste") > 0}
        histories = {row: history for row, history in histories.items() if len(history[0])}
        if histories:
            modality, side = self.side("history")
            encoded = side.encode(list(histories.values()))
            # Items that collaborative filtering does not know say nothing; their projection would be the bias.
            known = encoded.any(axis=1, keepdims=True)
            vectors[list(histories)] = np.where(known, self.model.project(modality, encoded), 0)
        return vectors

    def _means(self, lists: Sequence[Sequence[str]]) -> Floats:
        return self._joint_means([self._listed(item_ids)[0] for item_ids in lists])

    def _joint_means(self, lists: Sequence[Rows]) -> Floats:
        means = np.zeros((len(lists), self.joint.shape[1]), dtype=np.float32)
        for place, rows in enumerate(lists):
            if len(rows):
                means[place] = np.asarray(self.joint[rows]).mean(axis=0)
        return unit(means)

    def _listed(self, item_ids: Sequence[str]) -> tuple[Rows, Floats]:
        rows = self.rows(item_ids)
        bare = [item_ids[place] for place, row in enumerate(rows) if not self.searchable[row]]
        if bare:
            raise QueryError(f"the item {bare[0]!r} has no vector of any modality, so nothing can be compared with it.")
        return rows, np.ones(len(rows), dtype=np.float32)


def _encode_words(side: Any) -> Any:
    """What reads texts in the space of a picture model."""
    if not getattr(side, "reads_text", False):
        raise QueryError(
            'the pictures of this space cannot be asked in words: leave the weight "look" out, or build it with '
            "`text_side = true` in the options of a CLIP or SigLIP encoder."
        )
    return side.encode_text


def _hint(item_id: str, known: Mapping[str, int]) -> str:
    # A full search for near ids is slow in a large catalog, and ids are rarely misspelt words.
    return nearest(item_id, known) if len(known) <= 2000 else "ids are those of the items file."
