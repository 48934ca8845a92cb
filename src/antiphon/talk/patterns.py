"""What the rules look for in a sentence: times, places, people, negation, likes; and how they are said again."""

from __future__ import annotations

import re

from antiphon.base.wording import bare, fold_title

PLACE = re.compile(r"countr|nation|origin|location", re.IGNORECASE)
PERSON = re.compile(
    r"direct|star|cast|actor|author|writer|artist|composer|performer|singer|person|people", re.IGNORECASE
)
NAMED = "twenties|thirties|forties|fifties|sixties|seventies|eighties|nineties"
DECADE = re.compile(
    rf"(?<!\w)(?:(?P<part>early|mid|late)[\s-]+)?(?:the\s+)?(?:(?P<part2>early|mid|late)[\s-]+)?"
    rf"(?:(?P<full>(?:18|19|20)\d0)'?s|'?(?P<short>\d0)'?s|(?P<named>{NAMED}))(?!\w)",
    re.IGNORECASE,
)
AGE = re.compile(r"\b(?:his|her|their|your|my|our|roaring)\s+$", re.IGNORECASE)
RANGE = re.compile(r"\b(?:between|from)\s+(?P<low>\d{4})\s+(?:and|to|until|-)\s+(?P<high>\d{4})\b", re.IGNORECASE)
YEAR = re.compile(
    r"\b(?P<side>before|until|up to|since|after|older than|newer than|later than|earlier than|from|in|of)\s+"
    r"(?:the\s+year\s+)?(?P<year>(?:18|19|20)\d\d)(?P<on>\s+on(?:wards?)?)?(?![\w%])",
    re.IGNORECASE,
)
SIDES = {"up to": "until", "later than": "after", "earlier than": "before", "from": "in"}
PARTS = {"early": (0, 3), "mid": (4, 6), "late": (7, 9)}
_REFUSING = (
    r"nothing\s+(?:with|about|by|from|in)",
    r"no(?!\s+(?:idea|matter|doubt|one|need))",
    r"not(?!\s+(?:sure|only|just|necessarily|that))(?:\s+too)?",
    r"without",
    r"except(?:\s+for)?",
    r"excluding",
    r"other\s+than",
)
NOT = re.compile(
    rf"(?:^|(?<=[\s,;(-]))(?:but\s+)?(?:and\s+)?(?:with\s+)?(?:{'|'.join(_REFUSING)})\s+"
    r"(?P<what>[^,;.!?()]+?)(?=\s+(?:but|please|though)\b|[,;.!?()]|$)",
    re.IGNORECASE,
)
LIKE = re.compile(
    r"\b(?<!'d )(?<!would )(?<!you )(?<!I )"
    r"(?:(?:things|something|anything|films?|movies?|artists?|bands?|music|more)\s+)?"
    r"(?:like|similar\s+to|in\s+the\s+(?:style|vein|spirit|manner)\s+of|reminiscent\s+of)\s+",
    re.IGNORECASE,
)
NEXT = re.compile(r"\s*(?:,\s*(?:and|or)?|and|or|&)\s+", re.IGNORECASE)
CUE = re.compile(r"\b(?:directed|made|written|sung|performed)?\s*\b(?:by|with|starring|featuring)\s+", re.IGNORECASE)
PEOPLE_OF = re.compile(r"\b[A-Z][^\W\d_]+(?:\s+[Aa]frican)?\b(?!-|\s+(?:[Ll]anguage|[Ss]ubtitle|[Gg]uitar|[Kk]iss))")
SHORT = re.compile(r"\b(?:UK|USA?|U\.S\.A?\.?|U\.K\.)(?!\w)")
FROM = re.compile(r"\b(?:from|made\s+in|produced\s+in|out\s+of)\s+(?:the\s+)?", re.IGNORECASE)
LEAD = re.compile(
    r"(?:\b(?:(?:that\s+)?(?:was|were|been)\s+)?(?:made|released|produced|filmed|came\s+out)\s+)?"
    r"\b(?:from|in|of|during)\s+(?:the\s+)?$",
    re.IGNORECASE,
)
FILLER = frozenset(
    (
        "a",
        "an",
        "the",
        "any",
        "some",
        "of",
        "with",
        "about",
        "by",
        "from",
        "in",
        "to",
        "film",
        "films",
        "movie",
        "movies",
    )
)


def year_clause(match: re.Match[str]) -> str:
    """A year as the rules of refinement read it; "from 1994" means that very year, "from 1994 on" all since."""
    side = match["side"].lower()
    return f"{'since' if match['on'] else SIDES.get(side, side)} {match['year']}"


def decade_clause(match: re.Match[str]) -> str:
    """A decade, or a part of one, as the rules of refinement read it."""
    part = (match["part"] or match["part2"] or "").lower()
    if match["named"]:
        spoken = f"the {match['named'].lower()}"
        start = 1920 + 10 * NAMED.split("|").index(match["named"].lower())
    else:
        digits = match["full"] or match["short"]
        start = int(digits) if match["full"] else (1900 if int(digits) >= 20 else 2000) + int(digits)
        spoken = f"between {start} and {start + 9}"
    if part:
        low, high = PARTS[part]
        return f"between {start + low} and {start + high}"
    return spoken


def names_of(title: str) -> list[str]:
    """A title as people say it: without its year and what stands in brackets, the article in front."""
    plain = re.sub(r"\s*\([^)]*\)", "", title).strip() or title
    return [name for name in dict.fromkeys((bare(fold_title(plain)), bare(plain))) if name]


def quoted(value: str) -> str:
    """A value as a filter has it."""
    return f"'{value}'" if "'" not in value else f'"{value.replace(chr(34), "")}"'
