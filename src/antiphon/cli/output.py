"""What commands print: hits as lines for people, one JSON document for machines."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

import click

from antiphon.base.progress import Progress, bar, silent
from antiphon.query.hits import Hit, hit_document

__all__ = ["document", "hit_document", "hit_lines", "line_of", "note", "printable", "progress", "show"]
# C0 but the line feed and the tab, DEL, C1, line ends of Unicode, what turns the direction of a text, half surrogates.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def progress() -> Progress:
    """A bar where a person watches standard error; nothing elsewhere."""
    return bar if sys.stderr.isatty() else silent


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


def hit_lines(hits: Sequence[Hit]) -> list[str]:
    """Hits for a person: rank, score, title, id, and why."""
    if not hits:
        return ["Nothing passes the filter; loosen it."]
    titles = [line_of(hit.title) for hit in hits]
    width = max(map(len, titles))
    return [
        f"{hit.rank:>3}  {hit.score:.3f}  {title:<{width}}  {line_of(hit.item_id)}{line_of(_why(hit))}"
        for hit, title in zip(hits, titles, strict=True)
    ]


def line_of(text: str) -> str:
    """Printable, on one line."""
    return printable(text.replace("\n", " ").replace("\t", " "))


def _why(hit: Hit) -> str:
    if hit.why is None:
        return ""
    shares = " ".join(f"{name} {round(100 * share)}%" for name, share in hit.why.items())
    matched = "; ".join(f"{name}: {', '.join(words)}" for name, words in (hit.matched or {}).items())
    return f"   {shares}{'   ' + matched if matched else ''}"
