"""Times in sentences: years, ranges of years and decades, as people write them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

from antiphon.base.language import ENGLISH
from antiphon.talk.vocabulary import Vocabulary

_NAMED = "|".join(ENGLISH.decades.names)
_PART = r"(?:(?P<{}>early|mid|late)[\s-]+)?"
_RANGE = re.compile(r"\b(?:between|from)\s+(?P<low>\d{4})\s+(?:and|to|until|-)\s+(?P<high>\d{4})\b", re.IGNORECASE)
_YEAR = re.compile(
    r"\b(?P<side>before|until|up to|since|after|older than|newer than|later than|earlier than|from|in|of)\s+"
    r"(?:the\s+year\s+)?(?P<year>\d{4})(?P<on>\s+on(?:wards?)?)?(?![\w%])",
    re.IGNORECASE,
)
_DECADE = re.compile(
    rf"(?<!\w){_PART.format('part')}(?:the\s+)?{_PART.format('part2')}"
    rf"(?:(?P<full>(?:18|19|20)\d0)'?s|'?(?P<short>\d0)'?s|(?P<named>{_NAMED}))(?!\w)",
    re.IGNORECASE,
)
_AGE = re.compile(r"\b(?:his|her|their|your|my|our|roaring)\s+$", re.IGNORECASE)
LEAD = re.compile(
    r"(?:\b(?:(?:that\s+)?(?:was|were|been)\s+)?(?:made|released|produced|filmed|came\s+out)\s+)?"
    r"\b(?:from|in|of|during)\s+(?:the\s+)?$",
    re.IGNORECASE,
)
"""What stands before a time and goes with it: "that was made in"."""
_PARTS = {"early": (0, 3), "mid": (4, 6), "late": (7, 9)}
_BOUNDS = {
    "before": ("<", None, -1), "older than": ("<", None, -1), "earlier than": ("<", None, -1),
    "until": ("<=", None, 0), "up to": ("<=", None, 0), "since": (">=", 0, None),
    "after": (">", 1, None), "newer than": (">", 1, None), "later than": (">", 1, None),
}  # fmt: skip
"""Word -> how it is said, and the first and the last year that it allows, counted from the year named."""


@dataclass(frozen=True)
class Time:
    """Years from `low` to `high`, both inside, None where open; `says`: how they are said. `start`, `end`: where."""

    start: int
    end: int
    low: int | None
    high: int | None
    says: str


def times_in(text: str, *, begun: bool = False) -> list[Time]:
    """The times that a text names, in order; those that overlap an earlier one are left out.

    "From 1994" means that very year in a first request; once a conversation has `begun`, all years since.
    """
    found, taken = [], 0
    for time in sorted(_all(text, begun=begun), key=lambda time: (time.start, -time.end)):
        if time.start >= taken:
            found.append(time)
            taken = time.end
    return found


def time_of(text: str, *, begun: bool) -> Time | None:
    """The time that a text is, as in "in the early eighties"; None where it says more or less than that."""
    lead = LEAD.search(text[: len(text) - len(text.lstrip())]) or re.match(r"(?:from |in |of )?(?=the )", text)
    begins = {0, lead.end() if lead else 0}
    fit = [time for time in times_in(text, begun=begun) if time.start in begins and time.end == len(text)]
    return fit[0] if fit else None


def filters_of(time: Time, words: Vocabulary) -> tuple[str, ...]:
    """Filters of the field that says how new an item is; none where the catalog has no such field."""
    name = words.time_field
    if name is None:
        return ()
    low = () if time.low is None else (test(name, ">=", moment(time.low, name, words), words),)
    high = () if time.high is None else (test(name, "<", moment(time.high + 1, name, words), words),)
    return (*low, *high)


def moment(year: float, name: str, words: Vocabulary) -> float:
    """A year as a value of the field: itself, or the seconds at which it begins."""
    if name not in words.dates:
        return float(year)
    return dt.datetime(int(min(max(year, 1), 9999)), 1, 1, tzinfo=dt.UTC).timestamp()


def test(name: str, symbol: str, value: float, words: Vocabulary) -> str:
    """A filter for one bound of a field."""
    return f"{name}{symbol}{shown(value, name, words)}"


def shown(value: float, name: str, words: Vocabulary) -> str:
    """A value of a number or date field, as filters and people read it."""
    if name in words.dates:
        return f"'{dt.datetime.fromtimestamp(value, tz=dt.UTC).date().isoformat()}'"
    return f"{value:.0f}" if value.is_integer() else f"{value:.6g}"


def _all(text: str, *, begun: bool) -> Iterator[Time]:
    for match in _RANGE.finditer(text):
        low, high = sorted((int(match["low"]), int(match["high"])))
        yield Time(*match.span(), low, high, f"{low}-{high}")
    for match in _YEAR.finditer(text):
        yield _one_year(match, begun=begun)
    for match in _DECADE.finditer(text):
        if not _AGE.search(text[: match.start()]):
            first, last = _PARTS.get((match["part"] or match["part2"] or "").lower(), (0, 9))
            start = _first_year(match)
            yield Time(*match.span(), start + first, start + last, f"{start + first}-{start + last}")


def _one_year(match: re.Match[str], *, begun: bool) -> Time:
    side, year = match["side"].lower(), int(match["year"])
    if match["on"] or (side == "from" and begun):
        side = "since"
    if side not in _BOUNDS:
        return Time(*match.span(), year, year, str(year))
    symbol, low, high = _BOUNDS[side]
    return Time(
        *match.span(),
        None if low is None else year + low,
        None if high is None else year + high,
        f"{symbol} {year}",
    )


def _first_year(match: re.Match[str]) -> int:
    if match["named"]:
        return ENGLISH.decades.names[match["named"].lower()]
    if match["full"]:
        return int(match["full"])
    short = int(match["short"])
    return (1900 if short >= 20 else 2000) + short
