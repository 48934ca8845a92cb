"""Overrides: one key of a configuration set from the command line, as key.key=value."""

from __future__ import annotations

import tomllib
from typing import Any

from antiphon.errors import ConfigError, nearest


def apply_override(raw: dict[str, Any], override: str) -> None:
    """Set the key of `override` in a configuration that was read; tables that are missing are made.

    Raises:
        ConfigError: it is not of the form key=value, or its key leads through something that is no table.
    """
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {override!r} is not of the form key=value, such as train.epochs=3.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.strip().split(".")
    table: Any = raw
    for parent in parents:
        table = _named(table, parent, override) if isinstance(table, list) else table.setdefault(parent, {})
        if not isinstance(table, dict | list):
            raise ConfigError(f"--set {override!r}: {parent!r} is not a table of the configuration.")
    if isinstance(table, list):
        raise ConfigError(f"--set {override!r}: say which of {parents[-1]!r}, such as {parents[-1]}.NAME.{last}=...")
    table[last] = value


def _named(tables: list[Any], name: str, override: str) -> Any:
    """The table of an array, such as [[modalities]], that has this `name`."""
    known = {str(table["name"]): table for table in tables if isinstance(table, dict) and "name" in table}
    if name not in known:
        raise ConfigError(f"--set {override!r}: there is no {name!r}; {nearest(name, known)}")
    return known[name]
