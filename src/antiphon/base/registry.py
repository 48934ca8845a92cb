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
    found = _entries(group)
    if name not in found:
        raise ConfigError(f"there is no {NOUNS[group]} {name!r}; {nearest(name, found)}")
    return _loaded(group, found[name])


def every(group: str) -> dict[str, Any]:
    """The components of a group by their names, sorted; the packages are looked through once.

    Raises:
        ConfigError: the package of one cannot be loaded.
    """
    return {name: _loaded(group, entry) for name, entry in sorted(_entries(group).items())}


def names(group: str) -> list[str]:
    """Names registered in a group, sorted."""
    return sorted(_entries(group))


def _loaded(group: str, entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:  # whatever a plugin's code raises, its name is what the user needs
        raise ConfigError(f"the {NOUNS[group]} {entry.name!r} ({entry.value}) cannot be loaded: {error}") from error


def _entries(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}
