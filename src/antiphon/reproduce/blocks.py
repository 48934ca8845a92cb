"""Blocks: the tables and texts that a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

KINDS = {"recommend": "user recommendation", "similar": "item to item", "retrieve": "retrieval"}


@dataclass(frozen=True)
class Block:
    """A part of the report.

    `text` is that of a heading, paragraph or listing, or a plot's SVG; `rows` are those of a list or of a table, whose
    first is its head.
    """

    kind: Literal["h1", "h2", "p", "list", "table", "plot", "code"]
    text: str = ""
    rows: Sequence[Sequence[str]] = ()


def number(value: float | None, digits: int = 3) -> str:
    """A number as tables show it; empty for None."""
    return "" if value is None else f"{value:.{digits}f}"


def interval(value: Mapping[str, float | None]) -> str:
    """The two ends of an interval."""
    return "" if value["low"] is None else f"[{number(value['low'])}, {number(value['high'])}]"
