"""What a channel is: one way in which items answer a request.

A request is resolved once (`resolver.py`) into a `Resolved`, which all channels read. Each channel gives its own best
rows, and exact scores for any rows; the answer is the union of the candidates, ordered by the sum of the scores of all
channels (`space/answer.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from antiphon.channels.hearing import Heard
from antiphon.numbers.codes import LARGE
from antiphon.numbers.exact import top_k
from antiphon.numbers.lists import Listed
from antiphon.query.request import Query

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
Allowed = NDArray[np.bool_]


@dataclass(frozen=True)
class Folded:
    """A history as vectors of taste: `rows` of its items, (n,) int32.

    `vectors`: by block, (length,) float32; `spreads`: by block, the standard deviation of their scores over the items.
    """

    rows: NDArray[np.int32]
    vectors: Mapping[str, Floats]
    spreads: Mapping[str, float]


@dataclass(frozen=True)
class Passing:
    """The items that a filter lets through: `mask`, (n_items,) bool."""

    mask: Allowed

    @cached_property
    def n(self) -> int:
        """How many they are."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def rows(self) -> Rows:
        """Theirs, ascending."""
        return np.flatnonzero(self.mask)


@dataclass(frozen=True)
class Resolved:
    """Requests with everything looked up: no id, text or file is read after this. One entry per request.

    `texts`: (n, in) float32, texts as the text encoder gives them; None where no request has one. `sentences`: those of
    each text, (n_sentences, in), none where it has one only. `vectors`: block -> (n, length) float32, the weighted sum
    of the parts of each request in that block. `likes`, `dislikes`: rows of those items. `known`: rows and weights of
    what the user and the history have. `asked`: rows of items that are asked for by name. `refused`: rows of items that
    have what the text refuses. `hidden`: rows that may not be answers. `histories`: folded; None where a request has
    none. `weights`: voice of a channel -> (n,) float32, how much it counts; 0 where it has nothing to say.
    `heard`: what each says in words; none where the texts are taken as they are. `passing`: what the filter of each
    lets through, the same for requests with the same filter; None for all.
    """

    queries: Sequence[Query]
    texts: Floats | None
    sentences: Sequence[Floats]
    vectors: Mapping[str, Floats]
    likes: Sequence[NDArray[np.int32]]
    asked: Sequence[NDArray[np.int32]]
    refused: Sequence[NDArray[np.int32]]
    hidden: Sequence[Rows]
    histories: Sequence[Folded | None]
    weights: Mapping[str, Floats]
    heard: Sequence[Heard] = ()
    dislikes: Sequence[NDArray[np.int32]] = ()
    known: Sequence[tuple[NDArray[np.int32], Floats]] = ()
    passing: Sequence[Passing | None] = ()
    _kept: dict[str, list[Any]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.queries)

    def hears(self, channel: Channel) -> bool:
        """Whether a channel has something to say for any of the requests."""
        return any(bool(self.weights[voice].any()) for voice in channel.voices)

    def speaking(self, vectors: Mapping[str, Floats], weights: Mapping[str, Floats]) -> Resolved:
        """The same requests, of which no channel was asked yet, with these vectors and weights."""
        return replace(self, vectors=vectors, weights=weights, _kept=dict(self._kept))

    def take(self, wanted: Sequence[int]) -> Resolved:
        """Some of the requests, in the order given, with what channels have kept of them."""
        places = list(wanted)
        return Resolved(
            [self.queries[place] for place in places],
            None if self.texts is None else self.texts[places],
            [self.sentences[place] for place in places],
            {name: part[places] for name, part in self.vectors.items()},
            [self.likes[place] for place in places],
            [self.asked[place] for place in places],
            [self.refused[place] for place in places],
            [self.hidden[place] for place in places],
            [self.histories[place] for place in places],
            {name: part[places] for name, part in self.weights.items()},
            [self.heard[place] for place in places] if self.heard else (),
            [self.dislikes[place] for place in places] if self.dislikes else (),
            [self.known[place] for place in places] if self.known else (),
            [self.passing[place] for place in places] if self.passing else (),
            {name: [values[place] for place in places] for name, values in self._kept.items()},
        )

    def passing_at(self, place: int) -> Passing | None:
        """What the filter of one request lets through; None for all."""
        return self.passing[place] if self.passing else None

    def without_names(self, place: int) -> str:
        """The text of one request without the names of items."""
        return self.heard[place].without_names if self.heard else str(self.queries[place].text)

    def put(self, name: str, rows: Rows, scores: Floats) -> None:
        """Keep what one request's scores of some rows are, for whoever asks for these very rows; (n_rows,) float32."""
        self._kept[f"{name} at hand"] = [(rows, scores)]

    def at_hand(self, name: str, rows: Rows | None) -> Floats | None:
        """What was put for these rows; None where nothing was."""
        for known, scores in self._kept.get(f"{name} at hand", ()):
            if known is rows:
                found: Floats = scores
                return found
        return None

    def kept(self, name: str, make: Callable[[], list[Any]]) -> list[Any]:
        """What a channel worked out for these requests, one value per request, made at its first use."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]


class Channel(Protocol):
    """One way in which items answer requests."""

    name: str
    voices: tuple[str, ...]
    """The weights of a `Resolved` that it listens to: where all of them are 0, it is silent."""

    @classmethod
    def of(cls, space: Any) -> Self | None:
        """The channel of a loaded space; None where the space has nothing for it."""
        ...

    def candidates(self, resolved: Resolved, n: int, allowed: Allowed | None) -> Rows:
        """The channel's own n best rows of those allowed, (n_requests, n) int64; -1 where there are fewer.

        In a large catalog there may be more columns, of rows that are only nearly the best.

        `allowed`: (n_items,) bool, or None for all. Rows that a request hides may be among them.
        """
        ...

    def scores(self, resolved: Resolved, rows: Rows | None) -> Floats:
        """Exact scores of the given rows, or of all items, (n_requests, n_rows) float32; zeros where it is silent."""
        ...

    def explain(self, resolved: Resolved, row: int) -> Mapping[str, float]:
        """What the channel adds to the score of one item for the first request, by the name that is shown."""
        ...


@runtime_checkable
class Listing(Protocol):
    """A channel whose scores are sums over inverted lists: in a large catalog those of all channels are united."""

    def listed(self, resolved: Resolved, place: int) -> list[Listed] | None:
        """The lists of one request; None where its scores are no such sums, and its own candidates are asked for."""
        ...


@runtime_checkable
class Leaning(Protocol):
    """A channel that knows something of every item before anything is asked."""

    def leaning(self, resolved: Resolved, place: int) -> Floats | None:
        """What every item has for one request, (n_items,) float32; None where that counts for nothing."""
        ...


@dataclass(frozen=True)
class Estimates:
    """Scores that cost less than exact ones: `scores`, (n_requests, n_items) float32.

    `most_off`: the most by which any score of a request may differ from the exact one, (n_requests,) float32.
    """

    scores: Floats
    most_off: Floats


@runtime_checkable
class Estimating(Protocol):
    """A channel whose exact scores of all items cost much, and which knows nearly as much for less."""

    def estimates(self, resolved: Resolved) -> Estimates | None:
        """Nearly the scores of all items; None where exact ones cost no more."""
        ...


class ByLines(ABC):
    """A channel that works out a line of scores over all items for each request, once per request."""

    name: str
    voices: tuple[str, ...]

    @abstractmethod
    def lines(self, resolved: Resolved) -> Floats:
        """Weighted scores of all items, (n_requests, n_items) float32; zeros where the channel is silent."""

    def candidates(self, resolved: Resolved, n: int, allowed: Allowed | None) -> Rows:
        """The rows with the highest scores; in a large catalog only those that the channel speaks for."""
        scores = self.scores(resolved, None)
        if scores.shape[1] <= LARGE:
            return best_rows(scores, n, allowed)
        speaking = [np.flatnonzero(line > 0 if allowed is None else (line > 0) & allowed) for line in scores]
        best = [top_k(line[rows][None], min(n, len(rows)))[0][0] for line, rows in zip(scores, speaking, strict=True)]
        return padded([rows[places] for rows, places in zip(speaking, best, strict=True)], n)

    def scores(self, resolved: Resolved, rows: Rows | None) -> Floats:
        """The lines, or some columns of them."""
        lines = resolved.kept(self.name, lambda: list(self.lines(resolved)))
        return np.stack(lines if rows is None else [line[rows] for line in lines])

    def explain(self, resolved: Resolved, row: int) -> Mapping[str, float]:
        """One share, by the channel's name."""
        return {self.name: float(self.scores(resolved, np.array([row]))[0, 0])}


def best_rows(scores: Floats, n: int, allowed: Allowed | None) -> Rows:
    """The n best allowed columns of each line of scores, (n_lines, n) int64; -1 where there are fewer."""
    open_ = scores if allowed is None else np.where(allowed, scores, -np.inf).astype(np.float32)
    found, _ = top_k(open_, min(n, scores.shape[1]))
    return np.pad(found, ((0, 0), (0, n - found.shape[1])), constant_values=-1)


def padded(found: Sequence[Rows], n: int) -> Rows:
    """The rows of each request as one array, (n_requests, n) int64; -1 where there are fewer than n."""
    result = np.full((len(found), n), -1, dtype=np.int64)
    for mine, rows in zip(result, found, strict=True):
        mine[: len(rows)] = rows
    return result


def at(items: Floats, rows: Rows | None) -> Floats:
    """Some rows of item vectors, or all of them without a copy."""
    return np.asarray(items) if rows is None else np.asarray(items[rows])


def spread_to_one(scores: Floats, searchable: NDArray[np.bool_]) -> Floats:
    """Lines of scores, (n, n_items), over their standard deviation over the searchable items; 0 where that is 0."""
    if scores.shape[1] > LARGE and searchable.all():  # no copy of long lines
        means = scores.mean(axis=1, dtype=np.float64)
        squares = np.einsum("ni,ni->n", scores, scores, dtype=np.float64) / scores.shape[1]
        spread = np.sqrt(np.maximum(squares - means**2, 0)).astype(np.float32)[:, None]
    else:
        spread = scores[:, searchable].std(axis=1, keepdims=True)
    result: Floats = np.zeros_like(scores)
    np.divide(scores, spread, out=result, where=spread > 0)
    return result
