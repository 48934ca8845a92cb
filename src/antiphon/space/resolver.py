"""Resolving requests: ids become rows, texts and files become vectors, histories are folded, and weights are set.

What comes out is one `Resolved`; nothing after it looks an id up, encodes a text or folds a history again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.channels.base import Folded, Resolved
from antiphon.channels.mixture import Mixture, spread_of, standardised
from antiphon.channels.taste import Taste, shares_of
from antiphon.errors import QueryError, UnknownIdError, nearest
from antiphon.joint.model import JointModel
from antiphon.numbers.vectors import unit
from antiphon.query.request import MediaFile, Query

Floats = NDArray[np.float32]
Rows = NDArray[np.int32]
History = tuple[Rows, Floats]
JOINT = "joint"
_A = {"text": "a text", "history": "a history", "image": "an image", "audio": "an audio"}


@dataclass(frozen=True)
class Users:
    """Positive items of the catalog's users: user u has items[bounds[u]:bounds[u + 1]] with as many weights."""

    row_of: Mapping[str, int]
    bounds: NDArray[np.int64]
    items: Rows
    weights: Floats

    def known(self, user_id: str) -> History:
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
class Resolver:
    """Resolves requests for one space.

    `joint`: (n_items, dim) float32, unit L2. `sides`: query kind -> (modality, its query side). `covariances`: of the
    item vectors by block; None where a mixture does not standardise. `voices`: the voices of the space's channels.
    """

    row_of: Mapping[str, int]
    joint: Floats
    searchable: NDArray[np.bool_]
    model: JointModel
    sides: Mapping[str, tuple[str, Any]]
    users: Users | None
    taste: Taste | None
    covariances: Mapping[str, NDArray[np.float64] | None]
    mixture: Mixture
    voices: Sequence[str]

    def resolve(self, queries: Sequence[Query]) -> Resolved:
        """The requests with everything looked up.

        With a standardised mixture the scores of each part have the standard deviation 1 over the catalog; else each
        part has unit length in the joint space, and so has the sum (the paper's use).

        Raises:
            QueryError: a part that the space cannot read, unknown ids, or parts that cancel out.
        """
        texts = self._encode_texts(queries)
        likes = [self._comparable(query.likes) for query in queries]
        dislikes = [self._comparable(query.dislikes) for query in queries]
        known = [self._known(query) for query in queries]
        histories = self._fold([rows for rows, _ in known])
        vectors = self._vectors(queries, texts, likes, dislikes, known, histories)
        self._refuse_nothing(queries, vectors)
        hidden = [
            np.concatenate([liked, disliked, self._rows(query.exclude), rows]).astype(np.int64)
            for query, liked, disliked, (rows, _) in zip(queries, likes, dislikes, known, strict=True)
        ]
        weights = self._weigh(queries, histories)
        return Resolved(queries, texts, vectors, likes, hidden, histories, weights)

    def _weigh(self, queries: Sequence[Query], histories: Sequence[Folded | None]) -> dict[str, Floats]:
        """How much each voice of a channel counts for each request: the one place that decides who speaks."""
        mixture = self.mixture
        reranks = self.taste is not None and self.taste.reranker is not None

        def weigh(query: Query, history: Folded | None) -> dict[str, float]:
            text = query.weight("text") if query.has_text else 0.0
            likes = query.weight("likes") if query.likes else 0.0
            alone = reranks and history is not None and query.only_history
            return {
                "joint": 1.0,
                "taste": float(history is not None or bool(query.likes)),
                "rerank": query.weight("user") * mixture.rerank * query.weight("taste") if alone else 0.0,
                "words": text * mixture.words * query.weight("words"),
                "facets": text * mixture.facets * query.weight("facets"),
                "alike": likes * mixture.alike * query.weight("facets"),
            }

        known = [weigh(query, history) for query, history in zip(queries, histories, strict=True)]
        # A channel that did not come with antiphon counts as much as the query says, and says itself when to be silent.
        return {
            voice: np.array(
                [mine.get(voice, query.weight(voice)) for query, mine in zip(queries, known, strict=True)],
                dtype=np.float32,
            )
            for voice in self.voices
        }

    def _vectors(
        self,
        queries: Sequence[Query],
        texts: Floats | None,
        likes: Sequence[Rows],
        dislikes: Sequence[Rows],
        known: Sequence[History],
        histories: Sequence[Folded | None],
    ) -> dict[str, Floats]:
        """The weighted sum of the parts of each request, by block: (n_requests, length) float32."""
        lengths = {JOINT: self.model.dim, **(self.taste.lengths if self.taste is not None else {})}
        total = {name: np.zeros((len(queries), lengths[name]), dtype=np.float32) for name in self.covariances}

        def add(part: str, block: str, vectors: Floats, shares: Sequence[float] | float = 1.0) -> None:
            weights = np.array([query.weight(part) for query in queries]) * np.asarray(shares)
            total[block] += weights[:, None].astype(np.float32) * self._scaled(block, vectors)

        add("text", JOINT, self._projected_texts(texts, len(queries)))
        add("look", JOINT, self._read(queries, "look", "image", [query.text for query in queries]))
        for kind in ("image", "audio"):
            add(kind, JOINT, self._read(queries, kind, kind, [getattr(query, kind) for query in queries]))
        add("folded", JOINT, self._projected_histories(queries, known))
        add("dislikes", JOINT, self._means(dislikes), -1.0)
        items = (
            ("likes", likes, self._fold(likes), ["likes"] * len(queries)),
            ("user", [rows for rows, _ in known], histories, [self._kind(query) for query in queries]),
        )
        for part, rows, folded, kinds in items:
            shares = {kind: shares_of(getattr(self.mixture, kind)) for kind in set(kinds)}
            vectors = {JOINT: self._means(rows), **self._stacked(folded, lengths)}
            for block in vectors.keys() & total.keys():
                add(part, block, vectors[block], [shares[kind].get(block, 0.0) for kind in kinds])
        if not self.mixture.standardise:
            total[JOINT] = unit(total[JOINT])
        for name in total:
            channel = JOINT if name == JOINT else "taste"
            total[name] *= np.array([query.weight(channel) for query in queries], dtype=np.float32)[:, None]
        return total

    def _refuse_nothing(self, queries: Sequence[Query], vectors: Mapping[str, Floats]) -> None:
        size = np.sum([np.abs(part).sum(axis=1) for part in vectors.values()], axis=0)
        for query, left in zip(queries, size, strict=True):
            if not left and not query.has_text:  # a text may still be answered by its words alone
                raise QueryError(
                    "nothing is left of the request: its weights are 0, its parts cancel out, "
                    "or its items have no vectors."
                )

    def _kind(self, query: Query) -> str:
        """Which weights of the mixture count for a user or a history."""
        return "reranked" if self.mixture.rerank > 0 and query.only_history else "history"

    def _scaled(self, block: str, vectors: Floats) -> Floats:
        covariance = self.covariances[block]
        return vectors if covariance is None else standardised(vectors, covariance)

    def _rows(self, item_ids: Sequence[str]) -> Rows:
        for item_id in item_ids:
            if item_id not in self.row_of:
                raise UnknownIdError(f"the catalog has no item {item_id!r}; {_hint(item_id, self.row_of)}")
        return np.array([self.row_of[item_id] for item_id in item_ids], dtype=np.int32)

    def _comparable(self, item_ids: Sequence[str]) -> Rows:
        """Rows of items that others can be compared with."""
        rows = self._rows(item_ids)
        bare = [item_id for item_id, row in zip(item_ids, rows, strict=True) if not self.searchable[row]]
        if bare:
            raise QueryError(f"the item {bare[0]!r} has no vector of any modality, so nothing can be compared with it.")
        return rows

    def _known(self, query: Query) -> History:
        """Item rows and weights of what the request's user and history have."""
        # A history is what it is: items of it without vectors say nothing, and do not spoil the rest.
        rows = self._rows(query.history)
        weights = np.ones(len(rows), dtype=np.float32)
        if query.user is None:
            return rows, weights
        if self.users is None:
            raise UnknownIdError("the catalog has no interactions, so it knows no users; give likes or a history.")
        more, counts = self.users.known(query.user)
        return np.concatenate([rows, more]), np.concatenate([weights, counts])

    def _fold(self, lists: Sequence[Rows]) -> list[Folded | None]:
        """Items as vectors of taste; None where a request has no items, or the space has no taste."""
        asked = [place for place, rows in enumerate(lists) if len(rows)]
        folded: list[Folded | None] = [None] * len(lists)
        if self.taste is None or not asked:
            return folded
        # As in training and tuning, what was liked counts once: a play count is not a degree of liking here.
        found = self.taste.embed([(lists[place], np.ones(len(lists[place]), dtype=np.float32)) for place in asked])
        vectors = {name: part for name, part in found.items() if name in self.covariances}
        spreads = {
            name: np.ones(len(asked)) if covariance is None else spread_of(part, covariance)
            for name, part in vectors.items()
            for covariance in [self.covariances[name]]
        }
        for at, place in enumerate(asked):
            mine = {name: part[at] for name, part in vectors.items()}
            folded[place] = Folded(lists[place], mine, {name: float(part[at]) for name, part in spreads.items()})
        return folded

    def _stacked(self, folded: Sequence[Folded | None], lengths: Mapping[str, int]) -> dict[str, Floats]:
        """Folded items by block of taste, (n_requests, length) float32, zeros for requests without any."""
        there = [(place, one) for place, one in enumerate(folded) if one is not None]
        result = {}
        for name in there[0][1].vectors if there else ():
            result[name] = np.zeros((len(folded), lengths[name]), dtype=np.float32)
            for place, one in there:
                result[name][place] = one.vectors[name]
        return result

    def _means(self, lists: Sequence[Rows]) -> Floats:
        means = np.zeros((len(lists), self.joint.shape[1]), dtype=np.float32)
        for place, rows in enumerate(lists):
            if len(rows):
                means[place] = np.asarray(self.joint[rows]).mean(axis=0)
        return unit(means)

    def _encode_texts(self, queries: Sequence[Query]) -> Floats | None:
        """The texts by the text encoder alone, (n_requests, in) float32, zeros for requests without one."""
        rows = [row for row, query in enumerate(queries) if query.has_text]
        if not rows:
            return None
        encoded: Floats = self._side("text")[1].encode([str(queries[row].text) for row in rows])
        result = np.zeros((len(queries), encoded.shape[1]), dtype=np.float32)
        result[rows] = encoded
        return result

    def _projected_texts(self, texts: Floats | None, n_requests: int) -> Floats:
        if texts is None:
            return np.zeros((n_requests, self.model.dim), dtype=np.float32)
        there = texts.any(axis=1, keepdims=True)
        return np.where(there, self.model.project(self._side("text")[0], texts), 0).astype(np.float32)

    def _read(self, queries: Sequence[Query], part: str, kind: str, inputs: Sequence[Any]) -> Floats:
        """Projections of what a query side reads, (n_requests, dim) float32; zeros for requests without the part."""
        vectors = np.zeros((len(queries), self.model.dim), dtype=np.float32)
        rows = [row for row, query in enumerate(queries) if inputs[row] is not None and query.weight(part) > 0]
        if rows:
            modality, side = self._side(kind)
            encode = _encode_words(side) if part == "look" else side.encode
            given = [
                value.content if isinstance(value, MediaFile) else value for value in (inputs[row] for row in rows)
            ]
            vectors[rows] = self.model.project(modality, encode(given))
        return vectors

    def _projected_histories(self, queries: Sequence[Query], known: Sequence[History]) -> Floats:
        """Histories folded into collaborative filtering and projected, (n_requests, dim) float32."""
        vectors = np.zeros((len(queries), self.model.dim), dtype=np.float32)
        rows = [row for row, query in enumerate(queries) if query.weight("folded") > 0 and len(known[row][0])]
        if rows:
            modality, side = self._side("history")
            encoded = side.encode([known[row] for row in rows])
            # Items that collaborative filtering does not know say nothing; their projection would be the bias.
            met = encoded.any(axis=1, keepdims=True)
            vectors[rows] = np.where(met, self.model.project(modality, encoded), 0)
        return vectors

    def _side(self, kind: str) -> tuple[str, Any]:
        """The modality that reads requests of a kind, and its query side."""
        if kind not in self.sides:
            names = ", ".join(self.model.projections)
            raise QueryError(f"this space cannot answer {_A[kind]} query: none of its modalities ({names}) can.")
        return self.sides[kind]


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
