"""What a request says of time: "before 1970", "from the eighties", "like Alien but newer", "older than Alien".

Items of other years go behind everything else. A long story is not read so: its years are a part of what happens.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from antiphon.base.language import Language, Times, any_of
from antiphon.base.wording import fold, is_story

OPPOSITE = {
    "before": "since",
    "after": "until",
    "since": "before",
    "until": "after",
    "older": "newer",
    "newer": "older",
}
"""What is meant where it is refused: "nothing older than 1960"."""
_ORDER = (1900, 1910, 2020, *range(1920, 2020, 10))
"""First years of decades; what two of them are called is the later one in this order: the "20s" are those of 1920."""
_YEAR = r"(?P<year>(?:18|19|20)\d\d)(?!\d|\s*[%\u20ac$])"


@dataclass(frozen=True)
class Era:
    """Years that a request asks for, both inside, None where open, and the words that say so."""

    words: str
    low: int | None
    high: int | None

    @property
    def says(self) -> str:
        """The years for people."""
        if self.low is None:
            return f"until {self.high}"
        return f"from {self.low}" if self.high is None else f"{self.low} to {self.high}"

    def misses(self, years: NDArray[np.float64]) -> NDArray[np.bool_]:
        """The items of other years, (n_items,) bool; those of unknown years are none."""
        below = np.zeros(len(years), dtype=bool) if self.low is None else years < self.low
        return below if self.high is None else below | (years > self.high)


def eras_of(
    text: str, examples: Sequence[float], times: Times, keep: Container[str] = (), starts: Sequence[int] = ()
) -> list[Era]:
    """The years that a text asks for. `examples`: years of the items that it names as examples, NaN where unknown.

    `keep`: folded words that say nothing of time. `starts`: where the names of the examples begin. "Newer" and "older"
    compare with the examples, and say nothing without any; "older than Alien" compares with Alien alone.
    """
    if is_story(text):
        return []
    known = [int(year) for year in examples if not np.isnan(year)]
    refused, found = _refused(times), []
    for kind, pattern in _patterns(times).items():
        for match in pattern.finditer(text):
            turned = refused.search(text[: match.start()]) is not None
            era = _era(OPPOSITE.get(kind, kind) if turned else kind, match, known)
            if era is not None and fold(era.words) not in keep:
                found.append(era)
    return [*found, *(era for era in _named(text, examples, times, starts) if fold(era.words) not in keep)]


def made_in(text: str, language: Language, keep: Container[str] = ()) -> Era | None:
    """The years that items are from, all that are said: "from the eighties", "made in 1994", "an 80s thriller".

    A film that is set in the eighties need not be from then.
    """
    if is_story(text):
        return None
    decades = {_plain(said): first for first in _ORDER for said in language.decades.spoken(first)}
    decade, made, at_end = _made(tuple(decades), language.times)
    refused, years, words = _refused(language.times), list[int](), list[str]()
    for match in made.finditer(text):
        if refused.search(text[: match.start()]) or fold(match[0]) in keep:
            continue
        words.append(match[0].strip())
        if match["year"]:
            years += [int(match["year"])] * 2
            continue
        for said in decade.findall(match[0]):
            first = decades[_plain(said)]
            years += [first, first + 9]
    last = at_end.search(text)
    if not years and last and not language.is_empty(fold(last[1])) and fold(last[2]) not in keep:  # "teen comedy 80s"
        words, years = [last[2]], [decades[_plain(last[2])], decades[_plain(last[2])] + 9]
    return Era(" ".join(words), min(years), max(years)) if years else None


def _named(text: str, examples: Sequence[float], times: Times, starts: Sequence[int]) -> Iterator[Era]:
    """The eras of "older than Alien"."""
    for start, year in zip(starts, examples, strict=False):
        for kind in ("older", "newer"):
            pattern = rf"\b(?:{any_of(getattr(times, kind))})\s+(?:{any_of(times.than)})\W+$"
            match = re.search(pattern, text[:start], re.IGNORECASE)
            if match and (era := _era(kind, match, [] if np.isnan(year) else [int(year)])):
                yield replace(era, words=era.words.strip())


@lru_cache
def _refused(times: Times) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{any_of(times.refused)})\s+$", re.IGNORECASE)


@lru_cache
def _made(decades: tuple[str, ...], times: Times) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Patterns of a decade in one of its forms, of what says that items are from then, and of one that ends a text."""
    said = sorted(decades, key=len, reverse=True)
    any_ = "|".join(rf"['\u2019]?{re.escape(form[:-1])}['\u2019]?{re.escape(form[-1])}" for form in said)
    decade = rf"(?<!\w)(?:{any_})(?!\w)"
    several = rf"{decade}(?:\W+(?:\w+\W+){{0,3}}?{decade})*"  # "the 70s or the early 80s" are two of them
    made = rf"\b(?:{any_of(times.made)})[\s-]+(?:{several}|{_YEAR})"
    kind = rf"(?:^|\b(?:{any_of(times.kind)})\s+){several}(?![\s-]+(?:{any_of(times.no_kind)})\b)"
    patterns = (decade, rf"{made}|{kind}", rf"(\w+)\s+({decade})\W*$")
    first, second, third = (re.compile(pattern, re.IGNORECASE) for pattern in patterns)
    return first, second, third


def _plain(said: str) -> str:
    return said.lower().replace("'", "").replace("\u2019", "")


def _era(kind: str, match: re.Match[str], examples: Sequence[int]) -> Era | None:
    words = match[0]
    if kind == "between":
        low, high = sorted((int(match["low"]), int(match["high"])))
        return Era(words, low, high)
    if kind in ("older", "newer"):
        if not examples:
            return None
        return Era(words, None, min(examples) - 1) if kind == "older" else Era(words, max(examples) + 1, None)
    year = int(match["year"])
    return {
        "before": Era(words, None, year - 1), "until": Era(words, None, year), "since": Era(words, year, None),
        "after": Era(words, year + 1, None),
    }[kind]  # fmt: skip


@lru_cache
def _patterns(times: Times) -> dict[str, re.Pattern[str]]:
    between, joint = any_of(times.between), any_of(times.joint)
    ranges = rf"\b(?:{between})\s+(?P<low>\d{{4}})\s+(?:{joint})\s+(?P<high>\d{{4}})\b"
    sides = {kind: rf"\b(?:{any_of(getattr(times, kind))})\s+{_YEAR}" for kind in ("before", "until", "since", "after")}
    # "Older than 1980" is a year, and "older people" are no films.
    compared = {
        kind: rf"\b(?:{any_of(getattr(times, kind))})\b(?=\s*(?:[,;.!?)]|{any_of(times.compared)}|$))"
        for kind in ("older", "newer")
    }
    return {
        kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in {"between": ranges, **sides, **compared}.items()
    }
