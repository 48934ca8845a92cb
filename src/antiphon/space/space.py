"""Space: the one path that answers every query, over what is published.

`resolve` looks up everything that queries name, `best` asks the channels. Search, recommendation, the command line, the
service and the evaluation all come through these two.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.base.registry import every, find
from antiphon.channels.asking import on_store as stored
from antiphon.channels.base import Channel, Passing, Resolved
from antiphon.channels.dictionary import is_silent
from antiphon.channels.hearing import Heard, Listener
from antiphon.channels.mentions import Mention
from antiphon.channels.mixture import Mixture
from antiphon.channels.near import Near, NearVectors
from antiphon.channels.resolver import Resolver
from antiphon.channels.told import NearText
from antiphon.errors import MismatchError, MissingExtraError, QueryError
from antiphon.numbers.coded import GATHERED
from antiphon.numbers.exact import ExactIndex
from antiphon.query.filters import Where, matches, parse_filter
from antiphon.query.hits import Hit
from antiphon.query.reading import Read
from antiphon.query.request import MediaFile, MediaInput, Query
from antiphon.space.answer import best
from antiphon.space.explain import matched_values, shares
from antiphon.space.published import Published

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Embedding:
    """A query as a vector over the blocks, (width,) float32, and the id of the space that it belongs to."""

    space_id: str
    vector: Floats


class Space(Published):
    """A published space that answers: `search`, `similar`, `recommend`, `rank`, `embed`, `talk`. Make one with `load`.

    What it holds is `Published`'s: its vectors, items, fields and models.
    """

    @property
    def mixture(self) -> Mixture:
        """How much each channel counts."""
        return self._mixture

    @mixture.setter
    def mixture(self, mixture: Mixture) -> None:
        self._mixture = mixture
        for name in ("channels", "resolver", "near"):
            self.__dict__.pop(name, None)

    @cached_property
    def channels(self) -> list[Channel]:
        """What answers requests, found by the entry points `antiphon.channels`; see `space/answer.py`."""
        found = list(every("antiphon.channels").values())
        on_store = self.on_store
        opened = [kind.of(self) if on_store is None else stored(kind, self, on_store.version) for kind in found]
        return [channel for channel in opened if channel is not None]

    @cached_property
    def near(self) -> list[Near]:
        """What finds rows by the codes of a large space."""
        text: Near | None = NearText.of(self)
        found: list[Near | None] = [text, NearVectors.of(self, text)]
        return [one for one in found if one is not None]

    @cached_property
    def resolver(self) -> Resolver:
        """What looks up everything that a request names."""
        voices = [voice for channel in self.channels for voice in channel.voices]
        return Resolver(
            row_of=self.row_of,
            joint=self.vectors,
            searchable=self.searchable,
            model=self.model,
            sides=self.sides,
            users=self.users,
            taste=self.taste,
            covariances={
                name: storage.read_array(self.layout.covariance(name)) if self.mixture.standardise else None
                for name in self.manifest["blocks"]
            },
            mixture=self.mixture,
            voices=tuple(voices),
            listener=_OfSpace(self),
            facets=self.facets,
            lexical=self.lexical,
        )

    def warm(self) -> None:
        """Load the query encoders now, not at the first request."""
        for _, side in self.sides.values():
            if hasattr(side, "warm"):
                side.warm()
        if self.lexical is not None:
            self.lexical.scores(["warm"])
        _ = self.facets, self.resolver, self.names, self.speller, self.dictionary

    def said(self, text: str) -> list[Mention]:
        """The items that a text names, and how each is meant."""
        return [] if self.names is None else self.names.said(text)

    def read(self, query: Query | str) -> list[Read]:
        """What is read out of a request's words, for people to see; `Query.literal` takes a reading back."""
        return self._readings(self.resolver.listener.hear(Query(text=query) if isinstance(query, str) else query))

    def readings(self, resolved: Resolved) -> list[list[Read]]:
        """As `read`, of requests that are resolved: nothing is read a second time."""
        return [self._readings(heard) for heard in resolved.heard]

    def _readings(self, heard: Heard) -> list[Read]:
        return [
            Read(kind, words, means if row < 0 else self.titles[row], None if row < 0 else self.item_ids[row])
            for kind, words, means, row in self.resolver.readings(heard)
        ]

    def talk(self, **options: Any) -> Any:
        """A conversation over this space, an `antiphon.talk.Talk`: `space.talk().say("something dark")`.

        It is found by its entry point, since what reads sentences stands above the space.
        """
        return find("antiphon.conversations", "sentences")(self, **options)

    def search(
        self,
        text: str | None = None,
        *,
        turns: Sequence[str] = (),
        literal: Sequence[str] = (),
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
            turns=_strings(turns, "turns", "texts"),
            literal=_strings(literal, "literal", "words"),
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

    def recommend(
        self,
        user: str | None = None,
        *,
        history: Sequence[str] = (),
        where: Where | None = None,
        k: int = 10,
        explain: bool = False,
    ) -> list[Hit]:
        """Items for a user of the catalog, or for whoever has the items of `history`, best first.

        Raises:
            QueryError: neither is given, or an id is unknown.
        """
        return self.search(user=user, history=history, where=where, k=k, explain=explain)

    def answer(self, query: Query) -> list[Hit]:
        """Answers to one query, best first."""
        return self.hits_of(self.resolve([query]))

    def hits_of(self, resolved: Resolved) -> list[Hit]:
        """Answers to one resolved query, best first."""
        query = resolved.queries[0]
        rows, scores = self.best(resolved, query.offset + query.k)
        wanted = slice(query.offset, query.offset + query.k)
        found = [(int(row), float(score)) for row, score in zip(rows[0, wanted], scores[0, wanted], strict=True)]
        return self._hits(resolved, [(row, score) for row, score in found if row >= 0])

    def rank(self, queries: Sequence[Query], k: int) -> tuple[list[list[str]], list[list[float]]]:
        """Item ids and scores of the k best items for each query, best first; shorter where fewer items may be answers.

        The filter of each query counts; its own `k` and `offset` do not.
        """
        rows, scores = self.rank_rows(queries, k)
        ids = [[self.item_ids[row] for row in line if row >= 0] for line in rows]
        return ids, [line[: len(found)].tolist() for line, found in zip(scores, ids, strict=True)]

    def rank_rows(self, queries: Sequence[Query], k: int) -> tuple[Rows, Floats]:
        """As `rank`, but rows of the catalog and their scores, (n_queries, k); -1 and -inf where there are fewer."""
        return self.best(self.resolve(queries), k)

    def resolve(self, queries: Sequence[Query]) -> Resolved:
        """Queries with everything looked up: ids as rows, texts and files as vectors, histories folded.

        Raises:
            QueryError: a part that the space cannot read, unknown ids, or parts that cancel out.
        """
        found = self.resolver.resolve(queries)
        if self.on_store is not None:  # a store is told the filter
            return found
        passing = {repr(query.where): self._passing(query.where) for query in found.queries}
        return replace(found, passing=[passing[repr(query.where)] for query in found.queries])

    def best(self, resolved: Resolved, k: int) -> tuple[Rows, Floats]:
        """Rows and scores of the k best items for each resolved query, as `rank_rows` gives them.

        Raises:
            IntegrityError: a large file was found not to be the one that was published, since the space was loaded.
        """
        self.checking.refuse()
        rows = np.full((len(resolved), k), -1, dtype=np.int64)
        scores = np.full((len(resolved), k), -np.inf, dtype=np.float32)
        by_filter: dict[str, list[int]] = {}
        for place, query in enumerate(resolved.queries):
            by_filter.setdefault(repr(query.where), []).append(place)
        for places in by_filter.values():
            some = resolved if len(by_filter) == 1 else resolved.take(places)
            where = some.queries[0].where
            if self.on_store is not None:
                rows[places], scores[places] = self.on_store.best(self.channels, some, k, where)
            else:
                rows[places], scores[places] = best(
                    self.channels,
                    some,
                    k,
                    some.passing_at(0),
                    self.n_items,
                    near=self.near,
                )
        return rows, scores

    def embed(self, query: Query) -> Embedding:
        """The query as a vector, to keep or to send: what it says to the dense channels, joint and taste."""
        vector = np.zeros(max(stop for _, stop in self.manifest["blocks"].values()), dtype=np.float32)
        for name, part in self.resolve([query]).vectors.items():
            vector[slice(*self.manifest["blocks"][name])] = part[0]
        return Embedding(self.space_id, vector)

    def search_dense(self, embedding: Embedding, *, where: Where | None = None, k: int = 10) -> list[Hit]:
        """Answers to a query that was embedded before, by its vector alone.

        What is no inner product is left out: words, facets, the second stage of histories, doubts about what nobody
        liked, and which items the query named; `answer` has all of it.

        Raises:
            MismatchError: it was embedded by another space.
        """
        if embedding.space_id != self.space_id:
            raise MismatchError(
                f"the vector is of the space {embedding.space_id}, but this is {self.space_id}; embed the query again."
            )
        wanted = None if where is None else parse_filter(where)
        if self.on_store is not None:
            vectors = {name: embedding.vector[slice(*columns)] for name, columns in self.manifest["blocks"].items()}
            rows, scores = self.on_store.nearest(vectors, k, wanted)
        else:
            found_in = ExactIndex(self.blocks).search(embedding.vector[None], k, allowed=self._allowed(wanted))
            rows, scores = found_in[0][0], found_in[1][0]
        found = [(int(row), float(score)) for row, score in zip(rows, scores, strict=True) if row >= 0]
        return [self._hit(rank, row, score) for rank, (row, score) in enumerate(found, 1)]

    def to_arrow(self) -> pa.Table:
        """The items with their joint vectors: item_id, title, fields, vector (dim float32 each, unit L2)."""
        flat = pa.array(np.asarray(self.vectors, dtype=np.float32).ravel())
        columns = {"item_id": self.item_ids, "title": self.titles}
        fields = storage.read_table(self.layout.fields)  # those in memory may have numbers for texts
        columns |= {name: fields[name] for name in self.field_types}
        return pa.table({**columns, "vector": pa.FixedSizeListArray.from_arrays(flat, self.dim)})

    def to_pandas(self) -> Any:
        """As `to_arrow`, as a pandas DataFrame.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        if importlib.util.find_spec("pandas") is None:
            raise MissingExtraError("pandas", "pandas", "a DataFrame of the items")
        return self.to_arrow().to_pandas()

    def _passing(self, where: Any) -> Passing | None:
        mask = self._allowed(where)
        if mask is None:
            return None
        passing = Passing(mask)
        if self.near and passing.n <= GATHERED * self.n_items:
            _ = passing.rows  # what is known of a filter is known before the search
        return passing

    def _allowed(self, where: Any) -> NDArray[np.bool_] | None:
        if where is None:
            return None if self.searchable.all() else self.searchable
        return matches(where, self.columns) & self.searchable

    def _hits(self, resolved: Resolved, found: Sequence[tuple[int, float]]) -> list[Hit]:
        query = resolved.queries[0]
        hits = [self._hit(rank, row, score) for rank, (row, score) in enumerate(found, query.offset + 1)]
        if not query.explain:
            return hits
        text = resolved.without_names(0) if query.text else None
        understood: Sequence[tuple[str, str]] = ()
        if self.facets is not None and resolved.texts is not None:
            unsaid = self.facets.with_words(resolved.heard[0].name_words if resolved.heard else ())
            read = self.facets.understood(resolved.texts[0])
            understood = [self.facets.names[facet] for facet, _ in read if facet not in unsaid]
        return [
            replace(
                hit,
                why=shares(self.contributions(resolved, row)),
                matched=matched_values(
                    hit.fields, text, query.where, understood, lambda value: is_silent(value, self.language)
                ),
            )
            for hit, (row, _) in zip(hits, found, strict=True)
        ]

    def contributions(self, resolved: Resolved, row: int) -> dict[str, float]:
        """What each modality, the taste, the words and the facets add to an item's score; they sum to it."""
        result: dict[str, float] = {}
        for channel in self.channels:
            for name, value in channel.explain(resolved, row).items() if resolved.hears(channel) else ():
                result[name] = result.get(name, 0.0) + value
        return result

    def _fields(self, row: int) -> dict[str, object]:
        return {name: self.fields[name][row].as_py() for name in self.field_types}

    def _hit(self, rank: int, row: int, score: float) -> Hit:
        return Hit(rank, self.item_ids[row], self.titles[row], score, self._fields(row))


class _OfSpace(Listener):
    """The listener of a space, whose parts are made when a text is read: of a million titles that takes a while."""

    def __init__(self, space: Space) -> None:
        object.__setattr__(self, "_space", space)

    names = property(lambda self: self._space.names)
    speller = property(lambda self: self._space.speller)
    dictionary = property(lambda self: self._space.dictionary)
    holding = property(lambda self: None if self._space.lexical is None else self._space.lexical.holding)


def _strings(values: Sequence[str], name: str, of: str = "item ids") -> tuple[str, ...]:
    if isinstance(values, str):
        raise QueryError(f"{name} is a list of {of}, got the text {values!r}; write [{values!r}].")
    return tuple(str(value) for value in values)
