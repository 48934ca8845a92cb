"""What a request says of time: "before 1970", "between 1980 and 1985", "like Alien but newer".

Items of other years go behind everything else. A long story is not read so: its years are a part of what happens.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from antiphon.base.language import Times, any_of
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


def eras_of(text: str, examples: Sequence[float], times: Times, keep: Container[str] = ()) -> list[Era]:
    """The years that a text asks for. `examples`: years of the items that it names as examples, NaN where unknown.

    `keep`: folded words that say nothing of time. "Newer" and "older" compare with the examples, and say nothing
    without any.
    """
    if is_story(text):
        return []
    known = [int(year) for year in examples if not np.isnan(year)]
    refused = re.compile(rf"\b(?:{any_of(times.refused)})\s+$", re.IGNORECASE)
    found = []
    for kind, pattern in _patterns(times).items():
        for match in pattern.finditer(text):
            turned = refused.search(text[: match.start()]) is not None
            era = _era(OPPOSITE.get(kind, kind) if turned else kind, match, known)
            if era is not None and fold(era.words) not in keep:
                found.append(era)
    return found


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
