"""Components found by name through entry points; what comes with antiphon registers the same way."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from antiphon.errors import ConfigError, nearest

NOUNS = {
    "antiphon.baselines": "baseline",
    "antiphon.channels": "channel",
    "antiphon.conversations": "conversation",
    "antiphon.datasets": "data set",
    "antiphon.encoders": "encoder",
    "antiphon.engines": "engine",
    "antiphon.rules": "rule",
    "antiphon.stores": "store",
}
"""What the components of a group are."""


def find(group: str, name: str) -> Any:
    """The component that is registered under a name.

    Raises:
        ConfigError: no such name, or the component's package cannot be loaded.
    """
    found, noun = _entries(group), NOUNS[group]
    if name not in found:
        raise ConfigError(f"there is no {noun} {name!r}; {nearest(name, found)}")
    try:
        return found[name].load()
    except Exception as error:  # whatever a plugin's code raises, its name is what the user needs
        raise ConfigError(f"the {noun} {name!r} ({found[name].value}) cannot be loaded: {error}") from error


def names(group: str) -> list[str]:
    """Names registered in a group, sorted."""
    return sorted(_entries(group))


def _entries(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}
