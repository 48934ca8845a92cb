"""An item's fields as JSON, and back: stores keep them as documents."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from antiphon.query.columns import FieldType


def written(fields: Mapping[str, Any], types: Mapping[str, FieldType]) -> dict[str, Any]:
    """Fields as JSON takes them, without those that have no value; dates as ISO text."""
    return {
        name: value.isoformat() if types[name] == "date" else value
        for name, value in fields.items()
        if value is not None and value == value  # noqa: PLR0124  only NaN differs from itself
    }


def read(fields: Mapping[str, Any], types: Mapping[str, FieldType]) -> dict[str, Any]:
    """What was `written`, with all fields; None for no value."""
    return {name: _read(fields.get(name), kind) for name, kind in types.items()}


def _read(value: Any, kind: FieldType) -> Any:
    if value is None:
        return None
    if kind == "date":
        return dt.datetime.fromisoformat(value)
    return float(value) if kind == "number" else value
