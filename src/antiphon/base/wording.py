"""Words as people write them, made comparable."""

from __future__ import annotations

import re
import unicodedata

_ARTICLE = re.compile(r"^(.*), (the|a|an|le|la|les|il|el|das|der|die)( \(\d{4}\))?$")

_BRACKETS = re.compile(r"\s*\([^)]*\)")
_DOTTED = re.compile(r"\b(?:\w\.){2,}\w?")
_SIGNS = re.compile(r"[^\w\s]|_")


def fold(text: str) -> str:
    """Text for comparing: no case, no accents, single blanks."""
    if text.isascii():  # most texts of a large catalog: nothing to take apart
        return " ".join(text.casefold().split())
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split())


def fold_title(title: str) -> str:
    """A title for comparing: "Matrix, The (1999)" is also "the matrix (1999)"."""
    folded = fold(title)
    moved = _ARTICLE.match(folded)
    return f"{moved[2]} {moved[1]}{moved[3] or ''}" if moved else folded


def bare(text: str) -> str:
    """Folded words without signs between them: "Dr. Strangelove!" is "dr strangelove"."""
    return " ".join(_SIGNS.sub(" ", fold(text).replace("'", "").replace("\u2019", "")).split())


def names_of(title: str) -> list[str]:
    """A title as people say it: without its year and brackets, the article in front; N.W.A also as NWA."""
    plain = (_BRACKETS.sub("", title).strip() if "(" in title else title.strip()) or title
    words = plain.split()
    if plain.isascii() and "".join(words).isalnum():  # most titles: there is nothing to take out
        return [" ".join(words).lower()]
    if "." in plain and _DOTTED.search(plain):
        return [*_names_of(plain), *_names_of(_DOTTED.sub(lambda letters: letters[0].replace(".", ""), plain))]
    return _names_of(plain)


def _names_of(plain: str) -> list[str]:
    if plain.isascii() and not _ARTICLE.match(fold(plain)):  # most titles: both are the same
        name = bare(plain)
        return [name] if name else []
    return [name for name in dict.fromkeys((bare(fold_title(plain)), bare(plain))) if name]


SENTENCE_END = re.compile(r"(?<=[.!?\n])\s+")


MAX_WORDS = 30
"""Longer requests are stories: their "not" and their years are a part of what happens."""


def is_story(text: str) -> bool:
    """Whether a text is too long to be read word by word."""
    return len(text.split()) > MAX_WORDS
