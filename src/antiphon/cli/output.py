"""What commands print: hits as lines for people, one JSON document for machines."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from antiphon.base.progress import Advance, Progress, bar, duration, silent
from antiphon.query.hits import Hit, hit_document

__all__ = [
    "document", "going_on", "hit_document", "hit_lines", "line_of", "lines", "note", "printable", "progress",
    "rows_as_text", "show",
]  # fmt: skip
# C0 but the line feed and the tab, DEL, C1, line ends of Unicode, what turns the direction of a text, half surrogates.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def progress(*, quiet: bool = False) -> Progress:
    """A bar where a person watches standard error; a line now and then elsewhere; nothing where nothing is wanted."""
    if quiet:
        return silent
    return bar if sys.stderr.isatty() else lines


@contextmanager
def lines(
    name: str, total: int, *, first: float = 5.0, every: float = 30.0, clock: Callable[[], float] = time.monotonic
) -> Iterator[Advance]:
    """Progress as lines on standard error, for logs of long work: one after `first` seconds, then in `every` one.

    What is over sooner says nothing. The first line does not wait for a step to be done: that may take minutes.
    """
    start = last = clock()
    done, said = 0, threading.Event()

    def begun() -> None:
        if not said.is_set() and done == 0:
            note(f"{name}: begun, 0 of {total:,}")

    timer = threading.Timer(first, begun)
    timer.daemon = True
    timer.start()

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        now = clock()
        if now - last >= (every if said.is_set() else first) and 0 < done < total:
            last = now
            said.set()
            note(f"{name}: {done:,} of {total:,}, about {duration((now - start) / done * (total - done))} left")

    try:
        yield advance
    finally:
        timer.cancel()


@contextmanager
def going_on() -> Iterator[None]:
    """Work that a person may stop with Ctrl-C and that goes on the next time."""
    try:
        yield
    except KeyboardInterrupt:
        note("\nstopped. What is done is kept; the same command goes on from there.")
        raise SystemExit(130) from None


def note(line: str) -> None:
    """A line on standard error."""
    click.echo(printable(line), err=True)


def show(line: str) -> None:
    """A line, or several, on standard output."""
    click.echo(printable(line))


def document(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(_CONTROLS.sub(_escaped, json.dumps(value, ensure_ascii=False, allow_nan=False)))


def printable(text: str) -> str:
    """Text that cannot steer a terminal: signs of control and of direction as escapes, line ends and tabs as they are.

    Titles come from catalogs, and are not trusted.
    """
    return _CONTROLS.sub(_escaped, text)


def _escaped(sign: re.Match[str]) -> str:
    return f"\\u{ord(sign.group()):04x}"


NOTHING_FITS = "Nothing fits well: the catalog knows none of this. The nearest are:"
REASONS = {
    "text": "what is written of it",
    "passages": "what is written of it",
    "facets": "what it is filed under",
    "image": "its picture",
    "look": "its picture",
    "audio": "its sound",
    "cf": "who else likes it",
    "taste": "who else likes it",
    "ials": "who else likes it",
    "ease": "who else likes it",
    "rerank": "who else likes it",
    "popularity": "many like it",
    "names": "you named it",
}
"""Shares of a score as a person says them; `words` are named one by one."""
LEAST_SHARE = 0.15
"""Of a score, for its reason to be told."""


def hit_lines(hits: Sequence[Hit], words: Sequence[Sequence[str]] = ()) -> list[str]:
    """Hits for a person: rank, title, id, and why; `words`: of the request, that are in the texts of each hit.

    Scores are left out: they order the answers to one request and mean nothing beside it. `--json` has them.
    """
    if not hits:
        return ["Nothing passes the filter; loosen it."]
    titles = [line_of(hit.title) for hit in hits]
    width = max(map(len, titles))
    of_each = words or [()] * len(hits)
    return [
        f"{hit.rank:>3}  {title:<{width}}  {line_of(hit.item_id)}{line_of(_why(hit, said))}"
        for hit, title, said in zip(hits, titles, of_each, strict=True)
    ]


def line_of(text: str) -> str:
    """Printable, on one line."""
    return printable(text.replace("\n", " ").replace("\t", " "))


def rows_as_text(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, columns below each other."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _why(hit: Hit, words: Sequence[str]) -> str:
    """The values and words that match, then what else has a part in the score, most first."""
    if hit.why is None:
        return ""
    reasons = [f"{name}: {', '.join(values)}" for name, values in (hit.matched or {}).items()]
    named = {part for values in (hit.matched or {}).values() for value in values for part in value.casefold().split()}
    others = [word for word in words if word.casefold() not in named]
    if others:
        reasons.append(f"words: {', '.join(others)}")
    shares = sorted(hit.why.items(), key=lambda pair: -pair[1])
    known = {"facets", "words"} if reasons else {"words"}
    more = [REASONS.get(name, name) for name, share in shares if share >= LEAST_SHARE and name not in known]
    told = "; ".join([*reasons, *dict.fromkeys(more[:2])])
    return f"   {told}" if told else ""
