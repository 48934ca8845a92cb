"""Names in requests: which items a text names, and whether as examples, as what is wanted, or as what is not.

"Something like Heat (1995)", "I loved alien and The Thing", "add Bruno Mars, Adele". A name is taken where its year,
its capitals, quotes, a list or the words before it say that it is one, since titles are also words: "It", "Up", "Air".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from antiphon.base.language import ENGLISH, Language, any_of
from antiphon.base.texts import ByText
from antiphon.base.wording import bare, fold, names_of
from antiphon.query.columns import Column, year_column

How = Literal["example", "asked", "earlier", "refused"]
MAX_NAME_WORDS = 12
RARE, COMMON = 0.005, 0.03
"""Shares of the items whose texts have a word: below the first it is surely a name, above the second surely a word."""
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_YEAR = re.compile(r"[\"'\u201d\u2019]?\s*\(?((?:18|19|20)\d\d)\b\)?")
_NEXT = re.compile(r"\s[A-Z][^\W\d_]+")
_BEFORE = re.compile(r"(?<![.!?:,;]\s)\b[A-Z][^\W\d_]+\s$")


@dataclass(frozen=True)
class Mention:
    """An item that a text names: where, its row, how it is meant, and in which words.

    `earlier`: asked for, before something else was.
    """

    start: int
    end: int
    row: int
    how: How = "example"
    words: str = ""


class Cues:
    """What the words around a name say of it, in one language."""

    def __init__(self, language: Language) -> None:
        words = language.names
        self.cue = re.compile(rf"(?:{any_of(words.cue)})(?: (?:{any_of(words.between)}))?$")
        self.weak_cue = re.compile(rf"(?:{any_of(words.weak_cue)})$")
        self.listed = re.compile(rf"\s*(?:[,;\n/.&]|$|{words.conjunction}\b)")
        self.example = re.compile(rf"\b(?:{any_of(words.example)})\b", re.IGNORECASE)
        self.asked = re.compile(rf"\b(?:{any_of(words.asked)})\b", re.IGNORECASE)
        self.asking = re.compile(rf"\b(?:{any_of(words.asking)})\b", re.IGNORECASE)
        self.refused = re.compile(
            rf"\b(?:{any_of(words.refused)})\b(?:\W+(?!(?:{any_of(words.refused_until)})\b)\w+){{0,3}}\W*$",
            re.IGNORECASE,
        )
        self.seen = re.compile(rf"\b(?:{any_of(words.seen)})\b[^.!?]*$", re.IGNORECASE)


@dataclass(frozen=True)
class Names:
    """The names of a catalog's items.

    `known`: rows of the items by their names, those with most users last. `titles`: of all items. `years`: (n_items,)
    float64, NaN where unknown; None for a catalog without. `share`: the share of the items whose texts have a word.
    """

    known: ByText
    titles: Sequence[str]
    years: NDArray[np.float64] | None
    share: Callable[[str], float]
    language: Language = ENGLISH

    @cached_property
    def cues(self) -> Cues:
        """What is read around names."""
        return Cues(self.language)

    @classmethod
    def of(
        cls,
        titles: Sequence[str],
        users: NDArray[np.int64] | NDArray[np.float32] | None,
        years: NDArray[np.float64] | None,
        share: Callable[[str], float],
        language: Language = ENGLISH,
    ) -> Names:
        """The names of items, as people write them; `users`: (n_items,), how many know each."""
        order = range(len(titles)) if users is None else np.argsort(users, kind="stable").tolist()
        named = ((name, row) for row in order for name in names_of(titles[row]) if name.count(" ") < MAX_NAME_WORDS)
        return cls(ByText(named), titles, years, share, language)

    @classmethod
    def in_catalog(
        cls,
        titles: Sequence[str],
        columns: Mapping[str, Column],
        users: NDArray[np.float32] | None,
        share: Callable[[str], float] | None,
        language: Language = ENGLISH,
    ) -> Names:
        """The names of a catalog's items, with the years that its columns know."""
        years = year_column(columns, language.is_year)
        return cls.of(titles, users, years, share or (lambda _: 0.0), language)

    def said(self, text: str, keep: Container[str] = ()) -> list[Mention]:
        """The items that a text names, from the left, each once; the longest name goes first.

        `keep`: folded words that name nothing.
        """
        found = [mention for mention in self._mentions(text) if fold(text[mention.start : mention.end]) not in keep]
        spans = [(mention.start, mention.end) for mention in found]
        once: dict[int, Mention] = {}
        for mention in found:
            how = self._how(text, mention.start, mention.end, spans)
            words = text[mention.start : mention.end]
            once.setdefault(mention.row, Mention(mention.start, mention.end, mention.row, how, words))
        return list(once.values())

    def _mentions(self, text: str) -> Iterator[Mention]:
        places = [match.span() for match in _WORD.finditer(text)]
        words = [bare(text[start:end]).replace(" ", "") for start, end in places]
        named = self._named(words)
        at = 0
        while at < len(words):
            taken = 1
            for n_words in range(min(MAX_NAME_WORDS, len(words) - at), 0, -1):
                rows = named.get((at, n_words))
                if rows is None:
                    continue
                start, end = places[at][0], places[at + n_words - 1][1]
                row = self._meant(text, start, end, words[at : at + n_words], rows)
                if row is not None:
                    yield Mention(start, end, row)
                    taken = n_words
                    break
            at += taken

    def _named(self, words: Sequence[str]) -> dict[tuple[int, int], list[int]]:
        """Rows of the items with a name among some words, by its first word and how many it has."""
        spans: dict[tuple[int, int], str] = {}
        for at, name in enumerate(words):
            spans[at, 1] = name
            for n_words, word in enumerate(words[at + 1 : at + MAX_NAME_WORDS], 2):
                name = f"{name} {word}"  # noqa: PLW2901  grows by a word
                spans[at, n_words] = name
        found = zip(spans.items(), self.known.of(list(spans.values())), strict=True)
        rows_of = {
            span: [row for row in rows if name in names_of(self.titles[row])] for (span, name), rows in found if rows
        }
        return {span: rows for span, rows in rows_of.items() if rows}

    def _meant(self, text: str, start: int, end: int, words: Sequence[str], rows: Sequence[int]) -> int | None:
        """The item that is meant here; None where these words are no name, or that of an item the catalog lacks."""
        year = _YEAR.match(text, end)
        if year and self.years is not None:
            # "It (2017)" is not the film of 1990.
            fit = [row for row in rows if abs(self.years[row] - int(year[1])) <= 1]
            return fit[-1] if fit else None
        if all(word.isdigit() for word in words):
            return None
        return rows[-1] if self._is_name(text, start, end, words) else None

    def _is_name(  # noqa: PLR0911  one rule a line
        self, text: str, start: int, end: int, words: Sequence[str]
    ) -> bool:
        before, after = text[:start], text[end:]
        content = [word for word in words if not self.language.is_empty(word)]
        shares = [self.share(word) for word in content]
        share = max(shares, default=1.0)
        capital = self._is_capital(text[start:end]) and not text.isupper()
        if not before.strip() and not after.strip(" .!?"):
            return share <= COMMON or capital
        if before[-1:] in tuple('"\u201c') and after[:1] in tuple('"\u201d'):
            return True
        articled = words[0] in self.language.names.articles
        if capital and not articled and (_NEXT.match(text, end) or _BEFORE.search(before)):
            return False  # a part of a longer name
        opens = not before.strip() or before.rstrip(" ")[-1] in ".!?:]\n"
        listed = bool(re.search(r"(?:^|[,;\n/])\s*$", before)) and bool(self.cues.listed.match(after))
        cue = bool(self.cues.cue.search(before.rstrip().lower()))
        led = cue or bool(self.cues.weak_cue.search(before.rstrip().lower()))
        if len(content) >= 2:
            # One rare word is enough: that the others stand beside it is no chance.
            return capital or listed or cue or len(content) >= 3 or min(shares) < RARE
        if len(words) >= 2:
            firm = capital and (articled or not opens)
            return bool(content) and (firm or listed or (cue and share < RARE * 4))
        if share > COMMON:
            return capital and not opens and cue and share < COMMON * 3
        return (capital and (not opens or led)) or listed or (cue and share < RARE)

    def _is_capital(self, piece: str) -> bool:
        """Whether the words of a name have capitals, where that says anything."""
        spoken = self.language.names
        words = [word for word in _WORD.findall(piece) if word.casefold() not in spoken.small_words]
        return spoken.capitals and bool(words) and all(not word[0].islower() for word in words)

    def _how(self, text: str, start: int, end: int, spans: Sequence[tuple[int, int]]) -> How:
        """How a name is meant, by the sentence around it."""
        first = max(text.rfind(sign, 0, start) for sign in ".!?\n") + 1
        last = min((place for place in (text.find(sign, end) for sign in ".!?\n") if place >= 0), default=len(text))
        rest, before = text[first:last], text[first:start]
        beside = [span for span in spans if span[0] >= first and span[1] <= last]
        for name_start, name_end in sorted(beside, reverse=True):
            rest = f"{rest[: name_start - first]} , {rest[name_end - first :]}"
        if self.cues.refused.search(before) and not self.cues.seen.search(before):
            return "refused"
        if (led := self._last_cue(before)) is not None:
            return led
        if self.cues.example.search(rest):
            return "example"
        words = [word for word in _WORD.findall(rest) if not word.isdigit()]
        # A list of names, some of which the catalog does not have, says nothing beside them.
        others = len(beside) > 1
        empty = all(self.language.is_empty(word.casefold()) or (others and self._is_other_name(word)) for word in words)
        return "asked" if empty or self.cues.asked.search(rest) else "example"

    def _is_other_name(self, word: str) -> bool:
        return self.language.names.capitals and word[0].isupper()

    def _last_cue(self, before: str) -> How | None:
        """What the last words before a name say of it: "I liked Heat, now play Ronin" asks for the second alone."""
        cues = (self.cues.example, self.cues.asking)
        example, asked = (max((match.end() for match in cue.finditer(before)), default=0) for cue in cues)
        return None if example == asked else "asked" if asked > example else "example"
