"""Query: everything that a request can say, as one value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from antiphon.errors import QueryError, nearest
from antiphon.filters import Filter

MAX_K = 10_000
MAX_TEXT = 100_000
MAX_ITEMS = 10_000
PARTS: Mapping[str, float] = {"text": 1.0, "likes": 1.0, "dislikes": 0.5, "user": 1.0, "taste": 0.0}
"""Parts of a query and their usual weights. `user` is the mean of the items of a user or history; `taste` is their
factors from collaborative filtering, folded in and projected. `dislikes` is subtracted."""


@dataclass(frozen=True)
class Query:
    """A request: words, liked and disliked items, a user or a new history, filters, and how they weigh.

    `likes`, `dislikes`, `history`, `exclude` are item ids; `user` is a user of the catalog. Items that are liked,
    disliked or in the history are not answers. `weights` changes the weight of the parts named in `PARTS`.
    """

    text: str | None = None
    likes: tuple[str, ...] = ()
    dislikes: tuple[str, ...] = ()
    user: str | None = None
    history: tuple[str, ...] = ()
    where: Filter | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    k: int = 10
    offset: int = 0
    exclude: tuple[str, ...] = ()
    explain: bool = False

    def __post_init__(self) -> None:
        if self.text is not None and not self.text.strip():
            raise QueryError("the text of the request is empty; say what you are after, or leave the text out.")
        if self.text is not None and len(self.text) > MAX_TEXT:
            raise QueryError(f"the text has {len(self.text):,} characters; at most {MAX_TEXT:,} are taken.")
        if not (self.text or self.likes or self.dislikes or self.user is not None or self.history):
            raise QueryError("the request is empty; give a text, likes, dislikes, a user or a history.")
        if self.k < 1 or self.k + self.offset > MAX_K:
            raise QueryError(
                f"k is {self.k:,} and offset {self.offset:,}; k is at least 1, both together at most {MAX_K:,}."
            )
        if self.offset < 0:
            raise QueryError(f"offset is {self.offset}; it is 0 or more.")
        self._check_lists()
        self._check_weights()

    def _check_lists(self) -> None:
        for name in ("likes", "dislikes", "history", "exclude"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise QueryError(f"{name} is a list of item ids, got the text {value!r}.")
            if len(value) > MAX_ITEMS:
                raise QueryError(f"{name} has {len(value):,} items; at most {MAX_ITEMS:,} are taken.")

    def _check_weights(self) -> None:
        for name, weight in self.weights.items():
            if name not in PARTS:
                raise QueryError(f"there is no part {name!r} to weigh; {nearest(name, PARTS)}")
            if not math.isfinite(weight) or weight < 0:
                raise QueryError(f"the weight of {name!r} is {weight}; weights are finite and 0 or more.")

    def weight(self, part: str) -> float:
        """The weight of a part in this query."""
        return float(self.weights.get(part, PARTS[part]))


@dataclass(frozen=True)
class Hit:
    """An answer: an item, its score, and why.

    `score` orders the answers of one query and is not comparable between queries: a cosine with `preset = "paper"`,
    else a weighted sum of scores of which each has the standard deviation 1 over the catalog.

    `why`: the share of each modality in the score; they sum to 1. A share is negative where a modality spoke
    against the item. `matched`: values of the item's fields that the filter asked for or the text names.
    """

    rank: int
    item_id: str
    title: str
    score: float
    fields: Mapping[str, object] = field(default_factory=dict)
    why: Mapping[str, float] | None = None
    matched: Mapping[str, list[str]] | None = None
