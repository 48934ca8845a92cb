"""Resolving requests: ids become rows, texts and files become vectors, histories are folded, and weights are set.

What comes out is one `Resolved`; nothing after it looks an id up, encodes a text or folds a history again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.channels.base import Folded, Resolved
from antiphon.channels.facets import Facets, chances_of
from antiphon.channels.gate import facts_of
from antiphon.channels.hearing import Heard, Listener
from antiphon.channels.mentions import How, Mention
from antiphon.channels.mixture import Mixture, spread_of, standardised
from antiphon.channels.passages import sentences_of
from antiphon.channels.taste import Taste, shares_of
from antiphon.channels.words import Lexical, leads_for
from antiphon.errors import QueryError, UnknownIdError, nearest
from antiphon.joint.model import JointModel
from antiphon.numbers.vectors import unit
from antiphon.query.reading import Kind
from antiphon.query.request import MediaFile, Query

Floats = NDArray[np.float32]
Rows = NDArray[np.int32]
History = tuple[Rows, Floats]
JOINT = "joint"
FADES = 0.8
"""What a turn of a conversation counts, relative to the one after it."""
_KINDS: Mapping[How, Kind] = {"example": "like", "asked": "asked", "earlier": "asked", "refused": "unlike"}
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
    `listener`: what reads the words. `facets`, `lexical`: what the gate reads with, beside the listener's
    dictionary.
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
    listener: Listener = field(default_factory=Listener)
    facets: Facets | None = None
    lexical: Lexical | None = None

    def resolve(
        self,
        queries: Sequence[Query],
        *,
        said: Sequence[Sequence[Mention]] | None = None,
    ) -> Resolved:
        """The requests with everything looked up.

        With a standardised mixture the scores of each part have the standard deviation 1 over the catalog; else each
        part has unit length in the joint space, and so has the sum (the paper's use). `said`: the items that the texts
        name, where they are known already.

        Raises:
            QueryError: a part that the space cannot read, unknown ids, or parts that cancel out.
        """
        known_names = [None] * len(queries) if said is None else said
        heard = [self.listener.hear(query, names) for query, names in zip(queries, known_names, strict=True)]
        queries, mentions = [one.wanted for one in heard], [one.mentions for one in heard]
        texts, sentences = self._encode_texts(queries, [one.turns for one in heard])
        asked = [_meant(names, "asked") for names in mentions]
        likes = [
            np.union1d(self._comparable(query.likes), self._with_vectors(_meant(names, "example", "earlier")))
            for query, names in zip(queries, mentions, strict=True)
        ]
        dislikes = [
            np.union1d(self._comparable(query.dislikes), self._with_vectors(_meant(names, "refused")))
            for query, names in zip(queries, mentions, strict=True)
        ]
        known = [self._known(query) for query in queries]
        histories = self._fold([rows for rows, _ in known])
        hidden = [
            np.concatenate(
                [np.setdiff1d(liked, _meant(names, "earlier")), disliked, self._rows(query.exclude), rows]
            ).astype(np.int64)
            for query, liked, disliked, names, (rows, _) in zip(queries, likes, dislikes, mentions, known, strict=True)
        ]
        refused = [one.refused for one in heard]
        bare = Resolved(
            queries, texts, sentences, {}, likes, asked, refused, hidden, histories, {}, heard, dislikes, known
        )
        return self.weighed(bare, self._gate(bare))

    def weighed(self, resolved: Resolved, gate: Mapping[str, Floats] | None) -> Resolved:
        """The same requests, of which no channel was asked yet, with weights of the voices, by voice (n_requests,)."""
        vectors = self._vectors(resolved, gate)
        self._refuse_nothing(resolved.queries, vectors)
        return resolved.speaking(vectors, self._weigh(resolved, gate))

    def readings(self, heard: Heard) -> list[tuple[Kind, str, str, int]]:
        """What was read out of a request's words: its kind, the words, what they mean, and a row, -1 for none."""
        return [
            *(("spelling", said, meant, -1) for said, meant in heard.spelled),
            *((_KINDS[mention.how], mention.words, mention.words, mention.row) for mention in heard.mentions),
            *(("without", words, self.listener.telling(words), -1) for words in heard.refusals),
            *(("years", era.words, era.says, -1) for era in heard.eras),
        ]

    def facts(self, resolved: Resolved) -> Floats:
        """What the gate reads of requests with a text, (n_requests, n_facts) float32."""
        assert resolved.texts is not None  # noqa: S101  asked for requests with a text only
        dictionary = self.listener.dictionary
        assert dictionary is not None  # noqa: S101  a space with a gate has one
        texts = [query.text or "" for query in resolved.queries]
        n_likes, n_asked = ([len(rows) for rows in lists] for lists in (resolved.likes, resolved.asked))
        chances = None if self.facets is None else chances_of(self.facets, resolved)
        leads = None if self.lexical is None else leads_for(self.lexical, resolved, self.searchable)
        return facts_of(texts, chances, n_likes, n_asked, dictionary, leads)

    def _gate(self, resolved: Resolved) -> Mapping[str, Floats] | None:
        """Weights of the voices for each request by its looks; None for a space without a gate, or without a text."""
        if self.mixture.gate is None or resolved.texts is None:
            return None
        return self.mixture.gate(self.facts(resolved))

    def _weigh(self, resolved: Resolved, gate: Mapping[str, Floats] | None) -> dict[str, Floats]:
        """How much each voice of a channel counts for each request: the one place that decides who speaks.

        Where a text is asked, the gate says how much each counts; else they are constants.
        """
        mixture = self.mixture
        reranks = self.taste is not None and self.taste.reranker is not None

        def weigh(place: int) -> dict[str, float]:
            query, history = resolved.queries[place], resolved.histories[place]
            text = query.weight("text") * self._louder(query, gate) if query.has_text else 0.0
            shown = bool(len(resolved.likes[place]))
            usual = {"words": mixture.words, "facets": mixture.facets, "named": mixture.named, "names": 1.0}
            usual |= {"alike": mixture.alike, "passages": 0.0, "popularity": 0.0}
            counts = usual if gate is None or not text else {name: float(part[place]) for name, part in gate.items()}
            alone = reranks and history is not None and query.only_history
            return {
                "joint": 1.0,
                "taste": float(history is not None or shown),
                "rerank": query.weight("user") * mixture.rerank * query.weight("taste") if alone else 0.0,
                "popularity": text * counts["popularity"] * query.weight("taste"),
                "doubt": query.weight("taste") if history is not None and query.only_history else 0.0,
                "words": text * counts["words"] * query.weight("words"),
                "passages": text * counts["passages"] * query.weight("passages"),
                "names": text * counts["names"] * query.weight("names") if len(resolved.asked[place]) else 0.0,
                "facets": text * counts["facets"] * query.weight("facets"),
                "named": text * counts["named"] * query.weight("facets"),
                "refused": float(text > 0 and len(resolved.refused[place]) > 0),
                "alike": query.weight("likes") * counts["alike"] * query.weight("facets") if shown else 0.0,
            }

        known = [weigh(place) for place in range(len(resolved))]
        # A channel that did not come with antiphon counts as much as the query says, and says itself when to be silent.
        return {
            voice: np.array(
                [mine.get(voice, query.weight(voice)) for query, mine in zip(resolved.queries, known, strict=True)],
                dtype=np.float32,
            )
            for voice in self.voices
        }

    def _vectors(self, resolved: Resolved, gate: Mapping[str, Floats] | None) -> dict[str, Floats]:
        """The weighted sum of the parts of each request, by block: (n_requests, length) float32."""
        queries, likes, known = resolved.queries, resolved.likes, resolved.known
        lengths = {JOINT: self.model.dim, **(self.taste.lengths if self.taste is not None else {})}
        total = {name: np.zeros((len(queries), lengths[name]), dtype=np.float32) for name in self.covariances}

        def add(part: str, block: str, vectors: Floats, shares: Sequence[float] | Floats | float = 1.0) -> None:
            weights = np.array([query.weight(part) for query in queries]) * np.asarray(shares)
            total[block] += weights[:, None].astype(np.float32) * self._scaled(block, vectors)

        louder = np.array([self._louder(query, gate) for query in queries])
        shares_of_text = louder if gate is None else louder * gate["text"]
        add("text", JOINT, self._projected_texts(resolved.texts, len(queries)), shares_of_text)
        add("look", JOINT, self._read(queries, "look", "image", [query.text for query in queries]))
        for kind in ("image", "audio"):
            add(kind, JOINT, self._read(queries, kind, kind, [getattr(query, kind) for query in queries]))
        add("folded", JOINT, self._projected_histories(queries, known))
        add("dislikes", JOINT, self._means(resolved.dislikes), -1.0)
        by_likes = [self._shares_of_likes(place, query, gate) for place, query in enumerate(queries)]
        by_user = [shares_of(getattr(self.mixture, self._kind(query))) for query in queries]
        items = (
            ("likes", likes, self._fold(likes), by_likes),
            ("user", [rows for rows, _ in known], resolved.histories, by_user),
        )
        for part, rows, folded, shares in items:
            vectors = {JOINT: self._means(rows), **self._stacked(folded, lengths)}
            for block in vectors.keys() & total.keys():
                add(part, block, vectors[block], [mine.get(block, 0.0) for mine in shares])
        if not self.mixture.standardise:
            total[JOINT] = unit(total[JOINT])
        for name in total:
            channel = JOINT if name == JOINT else "taste"
            total[name] *= np.array([query.weight(channel) for query in queries], dtype=np.float32)[:, None]
        return total

    def _louder(self, query: Query, gate: Mapping[str, Floats] | None) -> float:
        """How much louder a text speaks where a user or a history speaks too: the gate is learned without users."""
        return self.mixture.beside if gate is not None and (query.user is not None or query.history) else 1.0

    def _shares_of_likes(self, place: int, query: Query, gate: Mapping[str, Floats] | None) -> dict[str, float]:
        """Weights of the blocks for what a request's answers should be like."""
        if gate is None or not query.has_text:
            return shares_of(self.mixture.likes)
        taste = next((name for name in ("ease", "ials") if name in self.covariances), "")
        return {JOINT: float(gate["likes"][place]), taste: float(gate["liked"][place])}

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

    def _encode_texts(
        self, queries: Sequence[Query], turns: Sequence[Sequence[str]]
    ) -> tuple[Floats | None, Sequence[Floats]]:
        """The texts by the text encoder alone, (n_requests, in) float32, zeros for requests without one; sentences.

        A conversation is the mean of its turns, each of which counts `FADES` times as much as the one after it, and of
        all of them in one text, which counts as much as a turn that would come next.
        """
        rows = [row for row, query in enumerate(queries) if query.has_text]
        nothing: Floats = np.zeros((0, 0), dtype=np.float32)
        if not rows:
            return None, [nothing] * len(queries)
        parts = [[*turns[row], str(queries[row].text)] for row in rows]
        pieces = [sentences_of(str(queries[row].text)) if "passages" in self.voices else [] for row in rows]
        together = [text for part, more in zip(parts, pieces, strict=True) for text in (*part, *more)]
        encoded: Floats = self._side("text")[1].encode(together)
        result = np.zeros((len(queries), encoded.shape[1]), dtype=np.float32)
        sentences: list[Floats] = [nothing] * len(queries)
        start = 0
        for row, part, more in zip(rows, parts, pieces, strict=True):
            middle, end = start + len(part), start + len(part) + len(more)
            result[row] = _faded(encoded[start:middle])
            sentences[row] = encoded[middle:end]
            start = end
        return result, sentences

    def _with_vectors(self, rows: Rows) -> Rows:
        """Those of the rows that others can be compared with."""
        return rows[self.searchable[rows]]

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


def _faded(turns: Floats) -> Floats:
    """The weighted mean of a conversation's turns, at the mean of their lengths; one turn is itself."""
    weights = FADES ** np.arange(len(turns) - 1, -1, -1, dtype=np.float32)
    length = np.float32(np.linalg.norm(turns, axis=1).mean())
    mean: Floats = turns[0] if len(turns) == 1 else length * unit((weights[:, None] * turns).sum(axis=0)[None])[0]
    return mean


def _meant(mentions: Sequence[Mention], *how: How) -> Rows:
    return np.array([mention.row for mention in mentions if mention.how in how], dtype=np.int32)


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
