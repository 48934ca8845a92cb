"""Counts of field values among the candidates of an answer, and which filter to loosen if there are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antiphon.query.columns import Mask, NumberColumn, WordColumn, words_of
from antiphon.query.filters import Condition, Filter, Group, Not, conditions, matches
from antiphon.query.hits import plain

if TYPE_CHECKING:
    from antiphon.space.space import Space

N_BINS = 24
N_VALUES = 40
FEW_VALUES = 200
"""A list with no more values than this is a set of kinds, such as genres; with more it is tags."""


class FieldCounts:
    """Fields of a space made ready for counting."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.names = {
            name: _spellings(space, name, column)
            for name, column in space.columns.items()
            if isinstance(column, WordColumn)
        }
        self.hidden = {
            name: np.flatnonzero([space.hides(name, value) for value in values]) for name, values in self.names.items()
        }

    def count(self, where: Filter | None, within: Mask | None, n_values: int = N_VALUES) -> list[dict[str, Any]]:
        """Counts of every field among the items that pass the filter and lie in `within`, (n_items,) bool.

        A field's own conditions are left out of its counts, so that a second value of it can be chosen.

        Raises:
            FilterError: the filter does not fit the catalog.
        """
        return [self._field(name, without(where, name), within, n_values) for name in self.space.columns]

    def mask(self, where: Filter | None, within: Mask | None) -> Mask:
        """Items that pass, (n_items,) bool."""
        mask = self.space.searchable.copy() if within is None else within & self.space.searchable
        return mask if where is None else mask & matches(where, self.space.columns)

    def _field(self, name: str, where: Filter | None, within: Mask | None, n_values: int) -> dict[str, Any]:
        column = self.space.columns[name]
        if isinstance(column, NumberColumn):
            return {"field": name, "type": column.type, **_histogram(column, self.mask(where, within))}
        if not isinstance(column, WordColumn):
            return {"field": name, "type": column.type, "values": [], "n_values": 0}
        counts = self._counts(name, column, where, within)
        counts[self.hidden[name]] = 0
        best = np.argsort(-counts, kind="stable")[:n_values]
        values = [{"value": self.names[name][code], "count": int(counts[code])} for code in best if counts[code]]
        return {"field": name, "type": column.type, "values": values, "n_values": int((counts > 0).sum())}

    def _counts(self, name: str, column: WordColumn, where: Filter | None, within: Mask | None) -> NDArray[np.int64]:
        """How many items have each word of a field, by code; a space on a store asks it."""
        if self.space.on_store is not None and within is None:
            found = self.space.on_store.count(name, where)
            return np.array([found.get(word, 0) for word in column.vocabulary], dtype=np.int64)
        mask = self.mask(where, within)
        return np.bincount(column.codes[mask[column.rows]], minlength=len(column.vocabulary))

    def telling(self, k: int = 4) -> list[str]:
        """The fields that tell most of an item in a line: lists of few values, years, then what differs most."""
        worth = {name: self._telling(name) for name in self.space.columns}
        best = sorted((name for name in worth if worth[name] > 0), key=lambda name: -worth[name])
        return best[:k]

    def _telling(self, name: str) -> float:
        column = self.space.columns[name]
        share = float(column.present().mean()) if self.space.n_items else 0.0
        if isinstance(column, NumberColumn):
            when = self.space.language.is_time(name) or column.type == "date"
            return 2 + share if when else share / 4
        if not isinstance(column, WordColumn) or not len(column.codes):
            return 0.0
        counts = np.bincount(column.codes, minlength=len(column.vocabulary))
        if column.type == "list":
            return 3 + share if len(column.vocabulary) <= FEW_VALUES else share / 8
        # What nearly all have says nothing of one; what each has alone (a text, an address) is too long to scan.
        return share * (1 - float(counts.max()) / self.space.n_items)

    def loosen(self, where: Filter | None) -> list[dict[str, Any]]:
        """For each part of a filter that lets nothing pass: how many items pass without it, most first."""
        if where is None:
            return []
        parts = list(where.parts) if isinstance(where, Group) and where.kind == "and" else [where]
        found = []
        for position, part in enumerate(parts):
            rest = [other for place, other in enumerate(parts) if place != position]
            n_items = int(self.mask(_all(rest), None).sum())
            found.append({"part": position, "filter": describe(part), "would_match": n_items})
        return sorted(found, key=lambda item: -int(str(item["would_match"])))


def without(where: Filter | None, name: str) -> Filter | None:
    """A filter without the parts that only test one field."""
    if where is None:
        return None
    if isinstance(where, Group) and where.kind == "and":
        return _all([part for part in (without(part, name) for part in where.parts) if part is not None])
    inner = where.part if isinstance(where, Not) else where
    tested = {condition.field for condition in conditions(inner)}
    return None if tested == {name} else where


def describe(where: Filter) -> str:
    """A filter as a person would write it."""
    if isinstance(where, Not):
        return f"not ({describe(where.part)})"
    if isinstance(where, Group):
        return f" {where.kind} ".join(describe(part) for part in where.parts)
    return _condition(where)


def _condition(where: Condition) -> str:
    symbols = {"eq": "=", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    values = where.value if isinstance(where.value, list | tuple) else [where.value]
    return f"{where.field} {symbols.get(where.operator, where.operator)} {', '.join(map(str, values))}"


def _all(parts: Sequence[Filter]) -> Filter | None:
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else Group("and", tuple(parts))


def _spellings(space: Space, name: str, column: WordColumn) -> list[str]:
    """Each value as it is first written in the catalog, by code."""
    names = [""] * len(column.vocabulary)
    for value in space.fields[name].to_pylist():
        for word in words_of(value):
            code = column.vocabulary.get(word.casefold().strip())
            if code is not None and not names[code]:
                names[code] = word
    return names


def _histogram(column: NumberColumn, mask: Mask) -> dict[str, Any]:
    known = column.present()
    everything: NDArray[np.float64] = column.values[known]
    if not len(everything):
        return {"min": None, "max": None, "bins": []}
    low, high = float(everything.min()), float(everything.max())
    whole = column.type == "number" and bool(np.all(everything == np.round(everything)))
    n_bins = int(min(N_BINS, high - low + 1)) if whole else N_BINS
    edges = np.linspace(low, high + 1 if whole else high, max(n_bins, 1) + 1)
    counts, edges = np.histogram(column.values[mask & known], bins=edges)
    bins = [
        {"from": plain(float(one)), "to": plain(float(two)), "count": int(count)}
        for one, two, count in zip(edges, edges[1:], counts, strict=False)
    ]
    return {"min": plain(low), "max": plain(high), "whole": whole, "bins": bins}
