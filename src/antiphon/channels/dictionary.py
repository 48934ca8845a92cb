"""The dictionary: which of the catalog's own values a text names. Nothing is trained.

Words are compared by their stems, the longest value goes first, and a decade or a country is known in all the ways in
which it is said. Where the catalog's words are used no reader of vectors is surer; where they are not, it is silent.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime
from antiphon.base.language import ENGLISH, Language
from antiphon.base.wording import fold
from antiphon.numbers.vectors import looked_up, once
from antiphon.query.columns import Column, NumberColumn, WordColumn

Floats = NDArray[np.float32]
Rows = NDArray[np.int32]
MAX_WORDS = 6
"""Longer values are sentences, which no request repeats."""
JOINED = 3
"""Words that are also written as one: "chill out", "chillout"."""
WORDS = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True)
class Named:
    """A value that a text names: its words, from `start` to `end` of the text's, and the items that have it.

    `degrees`: how much of it each has, up to 1; None where all have it wholly.
    """

    start: int
    end: int
    stems: tuple[str, ...]
    rows: Rows
    degrees: Floats | None = None


class Dictionary:
    """Values of a catalog by the stems of their words; the items of each are ascending rows, int32.

    `language`: that of the requests.
    """

    def __init__(
        self,
        entries: Mapping[tuple[str, ...], Rows],
        n_items: int,
        degrees: Mapping[tuple[str, ...], Floats] | None = None,
        language: Language = ENGLISH,
    ) -> None:
        self.entries, self.n_items, self.degrees, self.language = entries, n_items, degrees or {}, language
        self.longest = max(map(len, entries), default=0)
        self._joined = {"".join(stems): stems for stems in sorted(entries) if 1 < len(stems) <= JOINED}

    @classmethod
    def of(
        cls, columns: Mapping[str, Column], fields: Sequence[str] | None = None, language: Language = ENGLISH
    ) -> Dictionary:
        """That of a catalog's columns: words of texts and lists, and decades of the column with years.

        `fields`: the words of these only; of all where not given.
        """
        found: dict[tuple[str, ...], list[Rows]] = defaultdict(list)
        n_items = 0
        for name, column in columns.items():
            n_items = len(column.present())
            if isinstance(column, WordColumn) and fields is not None and name not in fields:
                continue
            for forms, rows in _values(name, column, language):
                for stems in {stems_of(form, language) for form in forms if not is_silent(form, language)}:
                    if len(stems) <= MAX_WORDS:
                        found[stems].append(rows)
        for same in _same(language, found):
            together = [part for stems in sorted(same) for part in found.get(stems, ())]
            found.update({stems: together for stems in same if together})
        entries = {
            stems: parts[0] if len(parts) == 1 else once(np.concatenate(parts)) for stems, parts in found.items()
        }
        return cls(entries, n_items, language=language)

    @cached_property
    def numbers(self) -> dict[tuple[str, ...], int]:
        """The number of each value, in the order of their words: the same in each process."""
        return {stems: number for number, stems in enumerate(sorted(self.entries))}

    def named(self, text: str) -> list[Named]:
        """The values that a text names, from the left, the longest first; no two share a word."""
        words = words_of(text)
        stems = [_stem(word, self.language) for word in words]
        result, place = [], 0
        while place < len(stems):
            found = self._at(stems, place)
            if found is not None and all(map(self.language.is_empty, words[found.start : found.end])):
                found = None  # "music" has the stem of "musical"
            if found is not None:
                result.append(found)
            place = place + 1 if found is None else found.end
        return result

    def covers(self, text: str) -> bool:
        """Whether a text says nothing but values, and words that people put around a request."""
        return sum(value.end - value.start for value in self.named(text)) >= len(telling(text, self.language))

    def _at(self, stems: Sequence[str], place: int) -> Named | None:
        for length in range(min(self.longest, len(stems) - place), 0, -1):
            said = tuple(stems[place : place + length])
            rows = self.entries.get(said)
            if rows is None and (joined := self._joined.get("".join(said))) is not None:
                said, rows = joined, self.entries[joined]
            if rows is not None:
                return Named(place, place + length, said, rows, self.degrees.get(said))
        return None

    def scores(self, text: str) -> Floats:
        """How many of the values that a text names each item has, by their degrees, (n_items,) float32."""
        result = np.zeros(self.n_items, dtype=np.float32)
        for named in {named.stems: named for named in self.named(text)}.values():
            result[named.rows] += 1 if named.degrees is None else named.degrees
        return result

    def scores_at(self, text: str, rows: NDArray[np.int64]) -> Floats:
        """As `scores`, of some rows, which ascend."""
        result = np.zeros(len(rows), dtype=np.float32)
        for named in {named.stems: named for named in self.named(text)}.values():
            if len(named.rows):
                places, there = looked_up(named.rows, rows)
                result[there] += 1 if named.degrees is None else named.degrees[places[there]]
        return result

    def with_degrees(self, known: Iterable[tuple[str, Rows, Floats]]) -> Dictionary:
        """The same with degrees: of some values, in words, the items that have it and how much of it each has."""
        groups = _same(self.language, self.entries)
        of = {stems: group for group in groups for stems in group}
        had: dict[frozenset[tuple[str, ...]], list[tuple[Rows, Floats]]] = defaultdict(list)
        for value, rows, parts in known:
            stems = stems_of(value, self.language)
            if stems in self.entries and (stems in of or (parts < 1).any()):
                had[of.get(stems, frozenset([stems]))].append((rows, parts))
        degrees: dict[tuple[str, ...], Floats] = {}
        for group, lists in had.items():
            rows, parts = _highest(lists)
            degrees |= {stems: _looked_up(self.entries[stems], rows, parts) for stems in group if stems in self.entries}
        return Dictionary(self.entries, self.n_items, degrees, self.language)


def _highest(lists: Sequence[tuple[Rows, Floats]]) -> tuple[Rows, Floats]:
    """Rows of several lists, ascending, and the highest that each has in one of them."""
    rows, parts = (np.concatenate([np.asarray(one[side]) for one in lists]) for side in (0, 1))
    order = np.argsort(rows, kind="stable")
    once, starts = np.unique(rows[order], return_index=True)
    return once, np.maximum.reduceat(parts[order], starts) if len(starts) else parts


def _looked_up(rows: Rows, known: Rows, parts: Floats) -> Floats:
    """What is known of rows, 1 where nothing is; `known` ascend."""
    if not len(known):
        return np.ones(len(rows), dtype=np.float32)
    places, there = looked_up(known, rows)
    found = np.where(there, parts[places], 0)
    return np.where(found > 0, found, 1).astype(np.float32)


def stems_of(text: str, language: Language = ENGLISH) -> tuple[str, ...]:
    """The stems of a text's words in order, folded; signs between words are gone."""
    return tuple(_stem(word, language) for word in words_of(text))


def telling(text: str, language: Language = ENGLISH) -> list[str]:
    """The words of a text that may name something, folded: not those that people put around what they ask for."""
    return [word for word in words_of(text) if not language.is_empty(word)]


def is_silent(text: str, language: Language = ENGLISH) -> bool:
    """Whether no word of a text may name anything."""
    return not telling(text, language)


def words_of(text: str) -> list[str]:
    """The words of a text, folded, in order; signs between words are gone."""
    return WORDS.findall(fold(text).replace("\u2019", "'"))


def _stem(word: str, language: Language) -> str:
    return _stemmed(language.irregular.get(word, word), language.stemmer)


@lru_cache(maxsize=200_000)
def _stemmed(word: str, stemmer: str) -> str:
    stem: str = runtime.stemmer(stemmer).stemWord(word.removesuffix("'s"))
    return stem


def _values(name: str, column: Column, language: Language) -> Iterable[tuple[Iterable[str], Rows]]:
    """Each value of a column: the ways in which it is said, and the items that have it."""
    if isinstance(column, WordColumn):
        peoples = _peoples(language) if language.is_place(name) else {}
        # Of 16 bits numbers are dealt out, not compared.
        few = len(column.vocabulary) <= np.iinfo(np.uint16).max
        order = np.argsort(column.codes.astype(np.uint16) if few else column.codes, kind="stable")
        codes, rows = column.codes[order], column.rows[order].astype(np.int32)
        ends = np.searchsorted(codes, np.arange(len(column.vocabulary) + 1))
        for value, code in column.vocabulary.items():
            held = rows[ends[code] : ends[code + 1]]  # ascending: an item that says it twice stands beside itself
            once = np.concatenate([held[:1], held[1:][held[1:] != held[:-1]]])
            yield (value, *peoples.get(fold(value), ())), once
    elif isinstance(column, NumberColumn) and column.type == "number" and language.is_time(name):
        decades = np.floor(np.nan_to_num(column.values, nan=-1) / 10).astype(np.int64) * 10
        for decade in np.unique(decades[decades > 0]).tolist():
            yield language.decades.spoken(decade), np.flatnonzero(decades == decade).astype(np.int32)


def _same(language: Language, known: Iterable[tuple[str, ...]]) -> list[frozenset[tuple[str, ...]]]:
    """Groups of values, by their stems, that say one thing: names of one thing, a decade, a country and its people.

    Those of `known` that differ by spaces, or by words around what is asked for, say one thing too.
    """
    decades = [language.decades.spoken(decade) for decade in range(1900, 2030, 10)]
    countries = [[people, *names] for people, names in language.peoples.items()]
    said = [
        {stems_of(word, language) for word in group if not is_silent(word, language)}
        for group in (*language.synonyms, *decades, *countries)
    ]
    spaced: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    empty = {_stem(word, language) for word in language.request_words}
    for stems in known:
        if len(stems) <= JOINED:
            spaced["".join(stem for stem in stems if stem not in empty) or "".join(stems)].add(stems)
    return _united(said, [group for group in spaced.values() if len(group) > 1])


def _united(said: Sequence[set[tuple[str, ...]]], spaced: Sequence[set[tuple[str, ...]]]) -> list[frozenset[Any]]:
    """The groups with each member in one of them: what two share stays in the first.

    Forms in `spaced` join the group that knows one of them.
    """
    of: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for group in said:
        new = group - of.keys()
        of |= dict.fromkeys(new, new)
    for group in spaced:
        home = next((of[stems] for stems in sorted(group) if stems in of), set())
        new = group - of.keys()
        home |= new
        of |= dict.fromkeys(new, home)
    return [frozenset(group) for group in {id(group): group for group in of.values()}.values() if len(group) > 1]


def _peoples(language: Language) -> dict[str, list[str]]:
    """Names of countries, folded -> what their people and things are called."""
    found: dict[str, list[str]] = defaultdict(list)
    for people, countries in language.peoples.items():
        for country in countries:
            found[country].append(people)
    for countries in {tuple(value) for value in language.peoples.values()}:
        for country in countries:
            found[country] += [other for other in countries if other != country]
    return found
