"""What the rules look for in a sentence: times, places, people, negation, likes; and how they are said again."""

from __future__ import annotations

import re

from antiphon.base.language import ENGLISH, any_of

PERSON = re.compile(
    r"direct|star|cast|actor|author|writer|artist|composer|performer|singer|person|people", re.IGNORECASE
)
LIKING = r"like|similar\s+to|in\s+the\s+(?:style|vein|spirit|manner)\s+of|reminiscent\s+of"
"""How people say that an item is an example."""
NOT = re.compile(
    rf"(?:^|(?<=[\s,;(-]))(?:but\s+)?(?:and\s+)?(?:with\s+)?(?:{any_of(ENGLISH.refusals.refusing)})\s+"
    r"(?P<what>[^,;.!?()]+?)(?=\s+(?:but|please|though)\b|[,;.!?()]|$)",
    re.IGNORECASE,
)
LIKE = re.compile(
    r"\b(?<!'d )(?<!would )(?<!you )(?<!I )"
    r"(?:(?:things|something|anything|films?|movies?|artists?|bands?|music|more)\s+)?"
    rf"(?:{LIKING})\s+",
    re.IGNORECASE,
)
NEXT = re.compile(r"\s*(?:,\s*(?:and|or)?|and|or|&)\s+", re.IGNORECASE)
CUE = re.compile(r"\b(?:directed|made|written|sung|performed)?\s*\b(?:by|with|starring|featuring)\s+", re.IGNORECASE)
PEOPLE_OF = re.compile(r"\b[A-Z][^\W\d_]+(?:\s+[Aa]frican)?\b(?!-|\s+(?:[Ll]anguage|[Ss]ubtitle|[Gg]uitar|[Kk]iss))")
SHORT = re.compile(r"\b(?:UK|USA?|U\.S\.A?\.?|U\.K\.)(?!\w)")
FROM = re.compile(r"\b(?:from|made\s+in|produced\s+in|out\s+of)\s+(?:the\s+)?", re.IGNORECASE)
FILLER = frozenset(
    {"a", "an", "the", "any", "some", "of", "with", "about", "by", "from", "in", "to"}
    | {"film", "films", "movie", "movies"}
)


def quoted(value: str) -> str:
    """A value as a filter has it."""
    return f"'{value}'" if "'" not in value else f'"{value.replace(chr(34), "")}"'
