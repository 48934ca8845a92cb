"""What the codes of a large space find for the joint vectors and taste: rows that may be the best.

The best of the sum of two channels are not all among the best of each: what somebody likes and what is meant may agree
on rows that lead by neither. So the codes have all blocks of an item side by side, and how many know it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from antiphon.channels.base import Allowed, Resolved, Rows
from antiphon.channels.taste import LEADING, TasteChannel
from antiphon.numbers.codes import Cut
from antiphon.numbers.vectors import once

if TYPE_CHECKING:
    from antiphon.numbers.coded import CodedIndex

Floats = NDArray[np.float32]
JOINT, TASTE = (3 / 16, 3 / 32), (3 / 32, 1 / 4)
"""Shares of the directions of a block that have a piece each, and of pieces that two share. Joint vectors differ in few
directions, factors of taste in many, and a history's leading rows are told apart by all of them."""


def cuts_of(blocks: Mapping[str, Sequence[int]]) -> list[Cut]:
    """How the columns of the blocks are turned; `blocks`: the columns of each."""
    ordered = sorted(blocks.items(), key=lambda one: int(one[1][0]))
    return [Cut.of(columns, *(JOINT if name == "joint" else TASTE)) for name, columns in ordered]


def beside_popularity(vectors: Floats, resolved: Resolved) -> Floats:
    """Vectors of requests, (n, length), and what popularity counts in each as one more number: their index has both.

    What many like and what is meant are found together: the best of their sum are the best of neither.
    """
    weights = resolved.weights.get("popularity", np.zeros(len(resolved), dtype=np.float32))
    return np.concatenate([vectors, weights[:, None]], axis=1)


class Near(Protocol):
    """What finds rows for requests by codes, in the place of some channels."""

    names: tuple[str, ...]
    """The channels whose candidates these are."""

    def asked(self, resolved: Resolved) -> NDArray[np.bool_]:
        """The requests that it has rows for, (n_requests,) bool."""
        ...

    def candidates(self, resolved: Resolved, n: int, allowed: Allowed | None) -> Rows | Sequence[Rows]:
        """About n allowed rows for each request, or more; -1 for none."""
        ...

    def meet(self, one: Resolved, rows: Rows) -> tuple[str, ...]:
        """Read what channels score of some rows for one request, once for all; the channels whose scores are at hand.

        `rows`: ascending, and every row that may be an answer.
        """
        ...


class NearVectors:
    """Rows that lead by the joint vector, the factors of taste and popularity together.

    `index`: over `blocks` side by side, in their order, and popularity where there is taste. `text`: what finds rows
    for texts by the joint vector too, where there is one.
    """

    def __init__(
        self, index: CodedIndex, blocks: Sequence[str], taste: TasteChannel | None, text: Near | None = None
    ) -> None:
        self.index, self.blocks, self.taste, self.text = index, blocks, taste, text
        self.names: tuple[str, ...] = ("joint",) if taste is None else ("joint", taste.name)

    @classmethod
    def of(cls, space: Any, text: Near | None) -> Self | None:
        """That of a space with codes of its vectors."""
        if space.coded is None:
            return None
        taste = next((channel for channel in space.channels if isinstance(channel, TasteChannel)), None)
        columns = space.manifest["blocks"]
        return cls(space.coded, sorted(columns, key=lambda name: int(columns[name][0])), taste, text)

    def asked(self, resolved: Resolved) -> NDArray[np.bool_]:
        """All of them: where there are no vectors, those that most know may lead."""
        return np.ones(len(resolved), dtype=bool)

    @cached_property
    def _by_users(self) -> Rows:
        return np.argsort(-self._taste.users, kind="stable")

    @property
    def _taste(self) -> TasteChannel:
        assert self.taste is not None  # noqa: S101  nothing weighs popularity or doubts without it
        return self.taste

    def candidates(self, resolved: Resolved, n: int, allowed: Allowed | None) -> list[Rows]:
        """For each request about n allowed rows, ascending: by its vectors, or else those that most know.

        None for a text alone, whose joint vector and popularity what finds rows for texts has as well.
        """
        vectors = np.concatenate([resolved.vectors[name] for name in self.blocks], axis=1)
        asked = vectors if self.index.beside is None else beside_popularity(vectors, resolved)
        told = np.zeros(len(resolved), dtype=bool) if self.text is None else self.text.asked(resolved)
        by_vector = np.flatnonzero(vectors.any(axis=1) & (self._by_taste(resolved) | ~told))
        found = dict(zip(by_vector.tolist(), self.index.near(asked[by_vector], n, allowed), strict=True))
        result = []
        for place in range(len(resolved)):
            rows = found.get(place, np.zeros(0, dtype=np.int64))
            if place in found and self._all_doubted(resolved, place, rows, n):
                known = self._taste.known if allowed is None else allowed & self._taste.known
                rows = np.concatenate([rows, self.index.search(asked[place][None], n, allowed=known)[0][0]])
            elif place not in found and not told[place] and self.taste and resolved.weights["popularity"][place]:
                rows = self._most_known(n, allowed)
            result.append(once(rows[rows >= 0]))
        return result

    def meet(self, one: Resolved, rows: Rows) -> tuple[str, ...]:
        """The joint vector and the factors of taste stand side by side; the items that lead a history are among them.

        Where there is no taste nothing is read: joint vectors are worth reading of some rows only.
        """
        joint, taste = (self._query(one, joint=joint) for joint in (True, False))
        if self.taste is None or not taste.any():
            return ()
        history, asked = one.histories[0], {"joint": joint, self.taste.name: taste}
        if history is not None and one.weights["rerank"][0]:
            asked[LEADING] = self.taste.first_stage(history, len(joint))
        found = dict(zip(asked, self._products(rows, list(asked.values())), strict=True))
        for name, scores in found.items():
            one.put(name, rows, scores)
        one.kept(self.taste.name, lambda: self._taste.second(one, [rows]))
        return self.names

    def _products(self, rows: Rows, asked: Sequence[Floats]) -> list[Floats]:
        """Inner products of rows with some vectors, of which the last is often a multiple of the one before."""
        if len(asked) < 3:  # without a first stage
            return list(self.index.products(np.stack(asked), rows))
        *others, last = asked
        before = others[-1]
        times = np.float32(last @ before / max(float(before @ before), 1e-30))
        if np.abs(last - times * before).max() <= 1e-6 * np.abs(last).max():
            found = list(self.index.products(np.stack(others), rows))
            return [*found, times * found[-1]]
        return list(self.index.products(np.stack(asked), rows))

    def _query(self, one: Resolved, *, joint: bool) -> Floats:
        """The vector of one request in the joint block alone, or in the others, over the columns of all."""
        parts = [one.vectors[name][0] * np.float32((name == "joint") == joint) for name in self.blocks]
        return np.concatenate(parts)

    def _by_taste(self, resolved: Resolved) -> NDArray[np.bool_]:
        """Requests with factors of taste: the joint vector of others is looked for by what finds rows for texts."""
        found = [resolved.vectors[name].any(axis=1) for name in self.blocks if name != "joint"]
        return np.any(found, axis=0) if found else np.zeros(len(resolved), dtype=bool)

    def _all_doubted(self, resolved: Resolved, place: int, rows: Rows, n: int) -> bool:
        """Whether most of what was found loses by doubts, so that others may lead."""
        doubts = self.taste is not None and bool(resolved.weights["doubt"][place])
        return doubts and int(self._taste.known[rows[rows >= 0]].sum()) < n // 2

    def _most_known(self, n: int, allowed: Allowed | None) -> Rows:
        order = self._by_users
        if allowed is None:
            return order[:n]
        first = order[: 16 * n]
        open_ = first[allowed[first]]
        return open_[:n] if len(open_) >= n else order[allowed[order]][:n]
