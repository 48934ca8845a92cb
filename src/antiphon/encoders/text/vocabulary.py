"""Words that a text model knows: those that its vocabulary has in one piece are no slips of the pen."""

from __future__ import annotations

from collections.abc import Callable


def has_word(word: str, has: Callable[[str], bool]) -> bool:
    """Whether a vocabulary has a word, in lower case or as it is given; `has`: whether it has a piece.

    The pieces that begin words have a sign before them in some vocabularies (SentencePiece, GPT-2).
    """
    return any(has(sign + form) for form in {word, word.lower()} for sign in ("", "\u2581", "\u0120"))
