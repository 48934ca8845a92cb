"""What speaks for an answer, in words, and whether anything does: for people who read answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from antiphon.channels.dictionary import telling
from antiphon.errors import QueryError
from antiphon.query.request import Query

if TYPE_CHECKING:
    from antiphon.space.space import Space

NEAR = 0.35
"""Cosine of a request with the nearest text of the catalog, below which it is about something else."""
UNKNOWN = 0.5
"""Share of a request's words that the catalog must not know for its answers to be in doubt."""


def matching_words(space: Space, text: str, item_ids: Sequence[str]) -> list[list[str]]:
    """For each item the words of a request that its texts have, as the request writes them; none without an index."""
    rows = [space.row_of[item_id] for item_id in item_ids]
    words = list(dict.fromkeys(_words(space, text)))
    if space.lexical is None or not words or not rows:
        return [[] for _ in rows]
    found = space.lexical.scores(words)[:, rows] > 0
    return [[word for word, there in zip(words, column, strict=True) if there] for column in found.T]


def nothing_fits(space: Space, text: str) -> bool:
    """Whether a request is about nothing that the catalog has: its words are unknown, and no text is near.

    False for a space that cannot know: one without an index of words or without texts.
    """
    if space.lexical is None or space.passages is None or space.said(text):
        return False
    words = _words(space, text)
    unknown = sum(space.lexical.share(word.casefold()) == 0 for word in words)
    if unknown <= UNKNOWN * len(words):
        return False
    try:
        resolved = space.resolve([Query(text=text)])
    except QueryError:
        return False
    return resolved.texts is not None and float(space.passages.best(resolved.texts[:1]).max()) < NEAR


def _words(space: Space, text: str) -> list[str]:
    """The telling words of a request, spelt as the catalog spells them."""
    mended = text if space.speller is None else space.speller.mended(text)
    return [word.strip(".,;:!?\"'()") for word in telling(mended) if word.strip(".,;:!?\"'()")]
