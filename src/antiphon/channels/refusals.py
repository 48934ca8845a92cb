"""What a request does not want: "a comedy without any romance", "war films but not about Vietnam".

A clause that refuses something the catalog knows is taken out of the text, which would bring just that, and the items
that have it go behind all others. A long story is not read so: its "not" is a part of what happens.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from antiphon.base.language import Patterns, any_of
from antiphon.base.wording import fold, is_story
from antiphon.channels.dictionary import WORDS, Dictionary


@dataclass(frozen=True)
class Refusal:
    """A request without what it refuses: `text` is what is left of it, `rows` the items that have what is refused."""

    text: str
    rows: NDArray[np.int32]
    words: tuple[str, ...] = ()


@lru_cache
def _clause(before: Patterns, refusing: Patterns, after: Patterns) -> re.Pattern[str]:
    """What says that something is not wanted, and `what`."""
    return re.compile(
        rf"(?:^|(?<=[\s,;(-]))(?:(?:{any_of(before)})\s+)*(?:{any_of(refusing)})\s+"
        rf"(?P<what>[^,;.!?()]+?)(?=\s+(?:{any_of(after)})\b|[,;.!?()]|$)",
        re.IGNORECASE,
    )


def _first(words: str, dictionary: Dictionary) -> str:
    """Words up to the end of the first value that they name."""
    places = [match.end() for match in WORDS.finditer(words)]
    named = dictionary.named(words)
    return words[: places[named[0].end - 1]] if named and named[0].end <= len(places) else words


def refusal_of(text: str, dictionary: Dictionary, keep: Container[str] = ()) -> Refusal:
    """What a text refuses; the text as it is where that is nothing, or nothing the catalog knows.

    `keep`: folded words that refuse nothing.
    """
    nothing = np.zeros(0, dtype=np.int32)
    if is_story(text):
        return Refusal(text, nothing)
    spoken = dictionary.language.refusals
    clause = _clause(spoken.before, spoken.refusing, spoken.after)
    slightly = re.compile(rf"\b(?:{any_of(spoken.slightly)})\s+$", re.IGNORECASE)
    left, rows, words = text, [nothing], []
    for match in reversed(list(clause.finditer(text))):
        what, end = match["what"], match.end()
        if slightly.search(text[match.start() : match.start("what")]):
            what = _first(what, dictionary)
            end = match.start("what") + len(what)
        named = [] if fold(what) in keep else dictionary.named(what)
        if not named:
            continue
        rows += [value.rows for value in named]
        words.append(what)
        left = f"{left[: match.start()].rstrip()} {left[end:].lstrip()}".strip(" ,;.")
    return Refusal(left or text, np.unique(np.concatenate(rows)), tuple(reversed(words)))
