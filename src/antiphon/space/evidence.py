"""What speaks for an answer, in words, and whether anything does: for people who read answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from antiphon.channels.dictionary import telling
from antiphon.errors import QueryError
from antiphon.query.request import Query

if TYPE_CHECKING:
    from antiphon.channels.base import Resolved
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
    if not is_strange(space, text):
        return False
    try:
        resolved = space.resolve([Query(text=text)])
    except QueryError:
        return False
    return not _are_near(space, resolved, [0])[0]


def fits_of(space: Space, resolved: Resolved, texts: Sequence[str | None]) -> list[bool]:
    """Of requests that are resolved together: whether each text is about something that the catalog has.

    Which is taken for granted where there is no text to ask, None.
    """
    strange = [place for place, text in enumerate(texts) if text and is_strange(space, text)]
    near = dict(zip(strange, _are_near(space, resolved, strange), strict=True)) if strange else {}
    return [near.get(place, True) for place in range(len(texts))]


def _are_near(space: Space, resolved: Resolved, places: Sequence[int]) -> list[bool]:
    """Whether a text of the catalog is near each of some requests; where that cannot be known, it is."""
    if space.passages is None or resolved.texts is None:
        return [True] * len(places)
    return [cosine >= NEAR for cosine in space.passages.nearest(resolved.texts[list(places)]).tolist()]


def is_strange(space: Space, text: str) -> bool:
    """Whether the catalog does not know most of a text's words; False for a space that cannot know."""
    if space.lexical is None or space.passages is None or space.said(text):
        return False
    words = _words(space, text)
    unknown = sum(space.lexical.share(word.casefold()) == 0 for word in words)
    return unknown > UNKNOWN * len(words)


def _words(space: Space, text: str) -> list[str]:
    """The telling words of a request, spelt as the catalog spells them."""
    mended = text if space.speller is None else space.speller.mended(text)
    return [word.strip(".,;:!?\"'()") for word in telling(mended) if word.strip(".,;:!?\"'()")]
