"""A space made ready to serve: what is derived from it once, and batches of requests answered with it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.errors import AntiphonError, UnknownIdError
from antiphon.query.columns import Mask
from antiphon.query.filters import Filter
from antiphon.query.hits import Hit, plain
from antiphon.query.reading import Read
from antiphon.query.request import MediaFile, Query
from antiphon.serve.atlas import Atlas
from antiphon.serve.counts import FieldCounts
from antiphon.serve.examples import conversations
from antiphon.serve.media import Pictures
from antiphon.space.evidence import fits_of
from antiphon.space.space import Space
from antiphon.talk.reader import Reader
from antiphon.talk.refine import exemplars, to_query
from antiphon.talk.vocabulary import Vocabulary
from antiphon.talk.wish import Wish

SMALL = 250
"""Answers up to this many are found together with others; longer ones on their own."""
NEAR = 500
"""Answers among which facets count where a request has words or likes."""


@dataclass(frozen=True)
class Ask:
    """A request as the service takes it."""

    wish: Wish
    where: Filter | None = None
    user: str | None = None
    history: tuple[str, ...] = ()
    k: int = 10
    offset: int = 0
    explain: bool = False
    image: MediaFile | None = None
    audio: MediaFile | None = None
    turns: tuple[str, ...] = ()
    literal: tuple[str, ...] = ()
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Answer:
    """Hits as JSON text, ready to send, and their number. `read`: what was read out of the request's words.

    `fits`: whether the catalog has anything of what the words are about.
    """

    hits: str
    n_hits: int
    loosen: list[dict[str, Any]] = field(default_factory=list)
    read: list[dict[str, Any]] = field(default_factory=list)
    fits: bool = True


MAX_CARDS = 100_000
"""Items whose JSON is remembered."""


class Served:
    """A space with everything that the service derives from it. `observe` is told (stage, seconds)."""

    def __init__(
        self,
        space: Space,
        root: Path | None = None,
        observe: Callable[[str, float], None] = lambda _, __: None,
    ) -> None:
        self.space, self.observe = space, observe
        self.facets = FieldCounts(space)
        self.atlas = Atlas(space, self.facets)
        self.pictures = None if root is None else Pictures.of_run(root)
        self.vocabulary = Vocabulary.of(space)
        self._cards: dict[int, str] = {}
        self._typical: dict[str, list[str]] = {}

    @cached_property
    def map_document(self) -> bytes:
        """The map as JSON."""
        return self.atlas.document()

    @cached_property
    def reader(self) -> Reader:
        """What takes sentences apart by rules."""
        return Reader.of(self.space, self.vocabulary)

    @cached_property
    def examples(self) -> list[dict[str, Any]]:
        """Conversations to begin with, made of what the catalog has; each a first sentence and what follows."""
        return conversations(self.vocabulary)

    def query(self, ask: Ask) -> Query:
        """The query of a request.

        Raises:
            QueryError: the request cannot be answered as it stands.
        """
        query = to_query(
            self.space, ask.wish, typical=self.typical, user=ask.user, history=ask.history, k=ask.k,
            offset=ask.offset, explain=ask.explain, image=ask.image, audio=ask.audio, turns=ask.turns,
            literal=ask.literal,
        )  # fmt: skip
        return replace(query, where=ask.where) if ask.where is not None else query

    def typical(self, words: str) -> list[str]:
        """Items that stand for some words; remembered."""
        if words not in self._typical:
            if len(self._typical) > 1000:
                self._typical.clear()
            self._typical[words] = exemplars(self.space, words)
        return self._typical[words]

    def answer(self, asks: list[Ask]) -> list[Answer | Exception]:
        """Answers to several requests; one that cannot be answered does not spoil the others."""
        start = time.perf_counter()
        queries = [_or_error(self.query, ask) for ask in asks]
        together = [
            place
            for place, query in enumerate(queries)
            if isinstance(query, Query) and not query.explain and query.k + query.offset <= SMALL
        ]
        results: list[Any] = list(queries)
        ranked = [(asks[place], queries[place]) for place in together]
        found = _or_error(self._rank, ranked) if ranked else []
        if isinstance(found, list):
            for place, hits in zip(together, found, strict=True):
                results[place] = hits
        for place, query in enumerate(results):
            if isinstance(query, Query):
                results[place] = _or_error(self._alone, (asks[place], query))
        answered = time.perf_counter()
        answers = [
            result if isinstance(result, Exception) else self._answer(asks[place], queries[place], *result)
            for place, result in enumerate(results)
        ]
        self.observe("answer", answered - start)
        self.observe("render", time.perf_counter() - answered)
        return answers

    def _alone(self, asked: tuple[Ask, Query]) -> tuple[list[Hit], list[Read], bool]:
        """The hits of one query, what was read out of its words, and whether the catalog has any of it."""
        ask, query = asked
        resolved = self.space.resolve([query])
        fits = fits_of(self.space, resolved, [_words_alone(ask)])
        return self.space.hits_of(resolved), self.space.readings(resolved)[0], fits[0]

    def _rank(self, asked: Sequence[tuple[Ask, Query]]) -> list[tuple[list[tuple[int, int, float]], list[Read], bool]]:
        """As `_alone` of queries that are answered together, with (rank, row, score) for each hit."""
        start = time.perf_counter()
        asks, queries = zip(*asked, strict=True)
        resolved = self.space.resolve(queries)
        encoded = time.perf_counter()
        rows, scores = self.space.best(resolved, max(query.k + query.offset for query in queries))
        self.observe("encode", encoded - start)
        self.observe("search", time.perf_counter() - encoded)
        found = [
            [
                (rank, row, score)
                for rank, (row, score) in enumerate(
                    zip(rows[place, part].tolist(), scores[place, part].tolist(), strict=True), query.offset + 1
                )
                if row >= 0
            ]
            for place, query in enumerate(queries)
            for part in [slice(query.offset, query.offset + query.k)]
        ]
        fits = fits_of(self.space, resolved, [_words_alone(ask) for ask in asks])
        return list(zip(found, self.space.readings(resolved), fits, strict=True))

    def _answer(
        self,
        ask: Ask,
        query: Query,
        hits: Sequence[Hit] | Sequence[tuple[int, int, float]],
        read: Sequence[Read],
        fits: bool,
    ) -> Answer:
        texts = [
            self.hit_text(hit, fields=ask.fields) if isinstance(hit, Hit) else self._text(*hit, fields=ask.fields)
            for hit in hits
        ]
        loosen = self.facets.loosen(query.where) if not texts and not ask.offset else []
        said = [one.plain() for one in read] if query.has_text else []
        return Answer(f"[{','.join(texts)}]", len(texts), loosen, said, fits)

    def hit_text(self, hit: Hit, fields: tuple[str, ...] | None = None, **more: Any) -> str:
        """A hit as JSON text; `fields`: those of the item that it has, all where None."""
        extra = dict(more)
        if hit.why is not None:
            extra["why"] = {name: round(share, 4) for name, share in hit.why.items()}
            extra["matched"] = dict(hit.matched or {})
        shown = "".join(f',"{name}":{json.dumps(value, ensure_ascii=False)}' for name, value in extra.items())
        return self._text(hit.rank, self.space.row_of[hit.item_id], hit.score, shown, fields)

    def _text(self, rank: int, row: int, score: float, more: str = "", fields: tuple[str, ...] | None = None) -> str:
        card = self.card(row) if fields is None else _inside(self._with_fields(row, fields))
        return f'{{"rank":{rank},"score":{score:.6f},{card}{more}}}'

    def _with_fields(self, row: int, fields: tuple[str, ...]) -> dict[str, Any]:
        shown = self.item(row)
        return {**shown, "fields": {name: shown["fields"][name] for name in fields}}

    def card(self, row: int) -> str:
        """What does not depend on the request: id, title, fields, picture, place; JSON text without its braces."""
        if row not in self._cards:
            if len(self._cards) > MAX_CARDS:
                self._cards.clear()
            self._cards[row] = _inside(self.item(row))
        return self._cards[row]

    def item(self, row: int) -> dict[str, Any]:
        """An item as plain values."""
        item_id = self.space.item_ids[row]
        return {
            "item_id": item_id,
            "title": self.space.titles[row],
            "fields": {name: plain(self.space.fields[name][row].as_py()) for name in self.space.field_types},
            "image": self.pictures is not None and self.pictures.has(item_id),
            "place": self.atlas.place(row),
        }

    def row(self, item_id: str) -> int:
        """Row of an item.

        Raises:
            UnknownIdError: the catalog does not have it.
        """
        if item_id not in self.space.row_of:
            raise UnknownIdError(f"the catalog has no item {item_id!r}; ids are those of the items file.")
        return self.space.row_of[item_id]

    def near(self, ask: Ask) -> Mask | None:
        """The best answers to a request without its filter, (n_items,) bool; None where it has only a filter."""
        if ask.wish.empty and ask.user is None and not ask.history and not ask.turns:
            return None
        query = replace(self.query(ask), where=None, k=NEAR, offset=0, explain=False)
        rows, _ = self.space.rank_rows([query], min(NEAR, self.space.n_items))
        mask = np.zeros(self.space.n_items, dtype=bool)
        mask[rows[0][rows[0] >= 0]] = True
        return mask


def _inside(shown: dict[str, Any]) -> str:
    """A document as JSON text without its braces."""
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))[1:-1]


def _words_alone(ask: Ask) -> str | None:
    """The words of a request that has nothing beside them."""
    wish = ask.wish
    beside = wish.more or wish.likes or ask.user or ask.history or ask.turns or ask.image or ask.audio
    return None if beside else wish.text


def _or_error(work: Callable[[Any], Any], value: Any) -> Any:
    try:
        return work(value)
    except AntiphonError as error:
        return error
