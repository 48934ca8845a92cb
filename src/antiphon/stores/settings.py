"""[store] of antiphon.toml, and what the environment says instead: which store, and how it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from antiphon.base import storage
from antiphon.base.registry import find
from antiphon.config.load import check_section
from antiphon.config.sections import StoreConfig
from antiphon.errors import ConfigError, IntegrityError
from antiphon.stores.contract import Store

MEMORY = "memory"
FOLDER = "store"
"""Folder of a run for a store that needs one."""
VARIABLES = {
    "ANTIPHON_STORE": "kind", "ANTIPHON_STORE_URL": "url", "ANTIPHON_STORE_PATH": "path", "ANTIPHON_STORE_NAME": "name",
}  # fmt: skip
"""Environment variables that go before the configuration, so that no file has an address or a password."""
KEY = "ANTIPHON_STORE_KEY"


def open_store(config: StoreConfig, run: Path) -> Store | None:
    """The store of a run; None where its vectors are in memory.

    Raises:
        ConfigError: there is no such store, or its options do not fit.
        MissingExtraError: its engine is not installed.
        StoreError: it cannot be reached.
    """
    if config.kind == MEMORY:
        return None
    kind: type[Store] = find("antiphon.stores", config.kind)
    options = check_section(kind.options, config.options, "the configuration", "store")
    return kind.open(config.name or "antiphon", options, run / FOLDER)


def store_of(given: Mapping[str, Any] | None, environment: Mapping[str, str], file: Path) -> StoreConfig:
    """What is `given`, else what the environment says, laid over the [store] of a run's configuration.

    Raises:
        ConfigError: a value does not fit.
        IntegrityError: the configuration of the run is damaged.
    """
    if given is not None:
        return check_section(StoreConfig, {"name": _section(file).get("name", _name(file)), **given}, "store")
    said = {key: environment[name] for name, key in VARIABLES.items() if environment.get(name)}
    own = _section(file)
    if "kind" in said and said["kind"] != own.get("kind", MEMORY):
        own = {name: own[name] for name in ("name", "depth") if name in own}  # the options are of another kind
    found = {**own, **said}
    if environment.get(KEY) and found.get("kind") == "qdrant":
        found["api_key"] = environment[KEY]
    if "url" in found and found.get("kind", MEMORY) == MEMORY:
        raise ConfigError("ANTIPHON_STORE_URL is set, but no kind of store; set ANTIPHON_STORE to postgres or qdrant.")
    return check_section(StoreConfig, {"name": _name(file), **found}, "store")


def _section(file: Path) -> dict[str, Any]:
    found = _config(file).get("store", {})
    if not isinstance(found, Mapping):
        raise IntegrityError(f"{file}: store is no section; build the run again.")
    return dict(found)


def _name(file: Path) -> str:
    name = str(_config(file).get("name", "antiphon")).lower()
    kept = "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in name)
    return (kept if kept[:1].isalpha() else f"s_{kept}")[:24]


def _config(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    return storage.read_toml(file)
