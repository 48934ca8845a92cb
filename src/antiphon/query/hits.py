"""Answers as plain values for JSON: what the command line, the service and the tools for language models print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def plain(value: object) -> object:
    """A field's value as JSON takes it: dates as ISO text, whole numbers without a point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def hit_document(hit: Hit) -> dict[str, Any]:
    """A hit as JSON: `why` and `matched` only where they were asked for."""
    shown: dict[str, Any] = {
        "rank": hit.rank,
        "item_id": hit.item_id,
        "title": hit.title,
        "score": round(hit.score, 6),
        "fields": {name: plain(value) for name, value in hit.fields.items()},
    }
    if hit.why is not None:
        shown["why"] = {name: round(share, 6) for name, share in hit.why.items()}
        shown["matched"] = dict(hit.matched or {})
    return shown


@dataclass(frozen=True)
class Hit:
    """An answer: an item, its score, and why.

    `score` orders the answers of one query and is not comparable between queries: a cosine with `preset = "paper"`,
    else a weighted sum of scores of which each has the standard deviation 1 over the catalog.

    `why`: the share of each modality in the score; they sum to 1. A share is negative where a modality spoke
    against the item. `matched`: values of the item's fields that the filter asked for or the text names.
    """

    rank: int
    item_id: str
    title: str
    score: float
    fields: Mapping[str, object] = field(default_factory=dict)
    why: Mapping[str, float] | None = None
    matched: Mapping[str, list[str]] | None = None
