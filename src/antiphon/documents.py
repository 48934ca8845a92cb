"""Answers as plain values for JSON: what the command line, the service and the tools for language models print."""

from __future__ import annotations

from typing import Any

from antiphon.query import Hit


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
