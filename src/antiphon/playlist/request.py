"""What a playlist is asked to be, and what it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from antiphon.errors import QueryError
from antiphon.query.hits import Hit
from antiphon.query.request import Query

MAX_LENGTH = 500


@dataclass(frozen=True)
class Tradeoff:
    """How much a good fit to the request, closeness to the rest of the list, and variety count against each other.

    Items are taken one by one; each time the one with the highest

        relevance * fit(i) + coherence * mean_j sim(i, j) - diversity * max_j sim(i, j)

    over the items j already taken. `fit` runs from 0 to 1 over the candidates, `sim` is the cosine in the space. With
    coherence 0 this is maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998, eq. 1) with lambda =
    relevance / (relevance + diversity). The mean keeps a list on its theme; the maximum keeps near copies out.
    """

    relevance: float = 1.0
    coherence: float = 0.5
    diversity: float = 0.3

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not math.isfinite(value) or not 0 <= value <= 100:
                raise QueryError(f"the trade-off's {name} is {value}; it is a number from 0 to 100.")
        if self.relevance + self.coherence + self.diversity == 0:
            raise QueryError("relevance, coherence and diversity are all 0, so no item is better than another.")


@dataclass(frozen=True)
class PlaylistRequest:
    """A list to make of the answers to a query: its likes are the seeds, its history is the list that is continued.

    None of what is continued comes again. `max_per`: field -> how many items of the whole list may share a value of it.
    `flow` orders the list so that neighbours are close; without it the order is that of selection. `variety` (0 to 1)
    adds noise, drawn with `seed`, to the fit: the same request can give another list, the same seed gives the same one.
    """

    query: Query
    length: int = 20
    max_per: Mapping[str, int] = field(default_factory=dict)
    tradeoff: Tradeoff = field(default_factory=Tradeoff)
    include_seeds: bool = False
    flow: bool = True
    variety: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.length <= MAX_LENGTH:
            raise QueryError(f"the length is {self.length:,}; a playlist has 1 to {MAX_LENGTH} items.")
        if not 0 <= self.variety <= 1:
            raise QueryError(f"the variety is {self.variety}; it is a number from 0 to 1.")
        if self.seed < 0:
            raise QueryError(f"the seed is {self.seed}; it is 0 or more.")
        for name, most in self.max_per.items():
            if most < 1:
                raise QueryError(f"at most {most} per {name!r} leaves nothing; it is 1 or more.")


@dataclass(frozen=True)
class Playlist:
    """An ordered list. `links`: cosine of each item to the one before it; the first to the end of `after`, or None.

    `short`: why there are fewer items than asked for; None where there are as many.
    """

    space_id: str
    entries: tuple[Hit, ...]
    links: tuple[float | None, ...]
    short: str | None = None

    @property
    def coherence(self) -> float | None:
        """Mean of the links; None if there are none."""
        known = [link for link in self.links if link is not None]
        return sum(known) / len(known) if known else None
