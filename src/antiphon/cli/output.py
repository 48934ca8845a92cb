"""What commands print: hits as lines for people, one JSON document for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from antiphon.base.progress import Progress, bar, silent
from antiphon.query.hits import Hit, hit_document

__all__ = ["document", "hit_document", "hit_lines", "note", "progress", "rows_as_text"]


def progress() -> Progress:
    """A bar where a person watches standard error; nothing elsewhere."""
    return bar if sys.stderr.isatty() else silent


def note(line: str) -> None:
    """A line on standard error."""
    click.echo(line, err=True)


def document(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def hit_lines(hits: Sequence[Hit]) -> list[str]:
    """Hits for a person: rank, score, title, id, and why."""
    if not hits:
        return ["Nothing passes the filter; loosen it."]
    width = max(len(hit.title) for hit in hits)
    return [f"{hit.rank:>3}  {hit.score:.3f}  {hit.title:<{width}}  {hit.item_id}{_why(hit)}" for hit in hits]


def rows_as_text(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, columns below each other."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _why(hit: Hit) -> str:
    if hit.why is None:
        return ""
    shares = " ".join(f"{name} {round(100 * share)}%" for name, share in hit.why.items())
    matched = "; ".join(f"{name}: {', '.join(words)}" for name, words in (hit.matched or {}).items())
    return f"   {shares}{'   ' + matched if matched else ''}"
