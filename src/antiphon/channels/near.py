"""What the codes of a large space find for taste and the joint vectors: rows that may be the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from antiphon.channels.base import Allowed, Folded, Resolved, Rows
from antiphon.channels.rerank import DEPTH
from antiphon.numbers.coded import CodedIndex
from antiphon.numbers.codes import LARGE, Codes

Floats = NDArray[np.float32]
HEAD = 4
"""Candidates of the second stage: this many times the items that it orders."""
LONG, SHORT = 0.3, 3
"""Share of the rows among which the leading ones are looked for where a filter leaves others, the longest ones, and how
many times as many as are ordered. Of 500 leading rows of 1,000,000, .9999 were among the longest 30%, .994 of 20%."""
STEP = 65_536
"""Rows whose lengths are worked out at once."""


def popularity_of(users: Floats) -> Floats:
    """How many know each item, on a log scale, in standard deviations, (n_items,) float32."""
    known = np.log1p(np.asarray(users))
    spread = known.std()
    result: Floats = ((known - known.mean()) / (spread or 1)).astype(np.float32)
    return result


def beside_popularity(vectors: Floats, resolved: Resolved) -> Floats:
    """Vectors of requests, (n, length), and what popularity counts in each as one more number: their index has both.

    What many like and what is meant are found together: the best of their sum are the best of neither.
    """
    weights = resolved.weights.get("popularity", np.zeros(len(resolved), dtype=np.float32))
    return np.concatenate([vectors, weights[:, None]], axis=1)


class NearTaste:
    """Rows that lead by the factors of taste.

    `index`: over the factors of all blocks side by side, in the order of `names`, beside popularity. `users`:
    (n_items,) float32, the training users of each item. `some`: makes codes of some rows.
    """

    def __init__(
        self,
        index: CodedIndex,
        names: Sequence[str],
        users: Floats,
        some: Callable[[Rows], Codes] | None = None,
    ) -> None:
        self.index, self.names, self.users, self._some = index, names, users, some

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Items that somebody likes, (n_items,) bool."""
        return np.asarray(self.users > 0)

    @cached_property
    def _by_users(self) -> Rows:
        return np.argsort(-self.users, kind="stable")

    def candidates(self, resolved: Resolved, n: int, allowed: Allowed | None) -> list[Rows]:
        """For each request about n allowed rows, ascending: by its vectors, or else those that most know."""
        vectors = np.concatenate([resolved.vectors[name] for name in self.names], axis=1)
        asked = beside_popularity(vectors, resolved)
        by_vector = np.flatnonzero(vectors.any(axis=1))
        found = dict(zip(by_vector.tolist(), self.index.near(asked[by_vector], n, allowed), strict=True))
        result = []
        for place in range(len(resolved)):
            rows = found.get(place, np.zeros(0, dtype=np.int64))
            if place in found and self._all_doubted(resolved, place, rows, n):
                known = self.known if allowed is None else allowed & self.known
                rows = np.concatenate([rows, self.index.search(asked[place][None], n, allowed=known)[0][0]])
            elif place not in found and resolved.weights["popularity"][place]:
                rows = self._most_known(n, allowed)
            result.append(np.unique(rows[rows >= 0]))
        return result

    def _all_doubted(self, resolved: Resolved, place: int, rows: Rows, n: int) -> bool:
        """Whether most of what was found loses by doubts, so that others may lead."""
        return bool(resolved.weights["doubt"][place]) and int(self.known[rows[rows >= 0]].sum()) < n // 2

    def _most_known(self, n: int, allowed: Allowed | None) -> Rows:
        order = self._by_users
        if allowed is None:
            return order[:n]
        first = order[: 16 * n]
        open_ = first[allowed[first]]
        return open_[:n] if len(open_) >= n else order[allowed[order]][:n]

    def leading(self, history: Folded, scales: Mapping[str, np.float32], near: Rows | None) -> tuple[Rows, Floats]:
        """The rows that lead a history by the first stage and their scores, as `TasteChannel.leading`.

        `near`: rows that were found for the history already, and that the leading ones are among.
        """
        parts = [scales.get(name, np.float32(0)) * np.asarray(history.vectors[name]) for name in self.names]
        query = np.concatenate([*parts, [0]]).astype(np.float32)
        rows = np.zeros(0, dtype=np.int64) if near is None else self._open(near, history)
        if len(rows) < DEPTH and (found := self._among_long(query, SHORT * DEPTH + len(history.rows))) is not None:
            rows = self._open(found, history)
        if len(rows) < DEPTH:
            known = None if self.known.all() else self.known
            found = self.index.search(query[None], HEAD * DEPTH + len(history.rows), allowed=known)[0][0]
            rows = self._open(found[found >= 0], history)
        first = self.index.scores(query, rows)
        best = np.argpartition(-first, DEPTH - 1)[:DEPTH] if len(rows) > DEPTH else np.arange(len(rows))
        return rows[best], first[best]

    def _among_long(self, query: Floats, n: int) -> Rows | None:
        """About n rows that lead among the long ones, by their codes; None in a small space."""
        if self._some is None or len(self.users) <= LARGE:
            return None
        rows, codes = self._long
        found = codes.nearest(query[None], n)[0]
        leading: Rows = rows[found[found >= 0]]
        return leading

    @cached_property
    def _long(self) -> tuple[Rows, Codes]:
        """The longest of the known rows, ascending, and their codes: made when a history is asked under a filter."""
        assert self._some is not None  # noqa: S101  asked where it is given
        steps = range(0, len(self.users), STEP)
        norms = [np.linalg.norm(self.index.vectors[start : start + STEP], axis=1) for start in steps]
        length = np.where(self.known, np.concatenate(norms), 0)
        n_long = int(LONG * len(length))
        rows = np.sort(np.argpartition(-length, n_long)[:n_long])
        return rows, self._some(rows)

    def _open(self, rows: Rows, history: Folded) -> Rows:
        return np.setdiff1d(rows[self.known[rows]], history.rows)
