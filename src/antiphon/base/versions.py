"""Published versions of a space: which one is in use, what its manifest says, and whether its files are those."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from antiphon.base import storage
from antiphon.base.checking import LARGE_FILE, Checking, wrong
from antiphon.base.layout import FORMAT, RunLayout, SpaceLayout, space_id_of
from antiphon.errors import IntegrityError, MismatchError

SPACE_ID = re.compile(r"[0-9a-f]{16}")
UNSEALED = (
    "format", "space_id", "name", "dim", "names", "blocks", "n_items", "n_searchable", "modalities", "order",
    "field_types", "files",
)  # fmt: skip
"""Keys of a manifest from before it had a checksum of its own."""

KEPT = 2
"""Versions that stay: the current one and the one before, which services may still ask; a loaded one stays too."""


def current(run: RunLayout) -> SpaceLayout:
    """The version that CURRENT names.

    Raises:
        IntegrityError: CURRENT holds something else than the id of a version that is there.
    """
    try:
        said = run.current.read_bytes().decode("ascii", errors="replace").strip()
    except OSError as error:
        raise IntegrityError(f"{run.current} cannot be read ({error.strerror}); build the run again.") from error
    if not SPACE_ID.fullmatch(said):
        raise IntegrityError(
            f"{run.current} holds {said[:40]!r}, expected the 16 hex digits of a space id; {_instead(run)}"
        )
    version = SpaceLayout(run.spaces / said)
    if not version.root.is_dir():
        raise IntegrityError(f"{run.current} names the space {said}, which does not exist; {_instead(run)}")
    return version


def manifest_of(version: SpaceLayout) -> dict[str, Any]:
    """What a version says of itself, without the checksum.

    Raises:
        IntegrityError: the manifest is missing, or is not the one that was published.
        MismatchError: it is of another format.
    """
    written = storage.read_json(version.manifest)
    found = written.get("format") if isinstance(written, dict) else None
    if isinstance(found, int) and found != FORMAT:
        raise MismatchError(
            f"{version.root} has the format {found}, this antiphon reads {FORMAT}; build the run again."
        )
    return storage.read_sealed(version.manifest, UNSEALED)


def verified(version: SpaceLayout, unread: Collection[str] = ()) -> dict[str, Any]:
    """The manifest of a version whose files are all those that were published.

    `unread`: names of files that are not looked at, and may be missing.

    Raises:
        IntegrityError: the manifest or a file is missing, incomplete, or not the one that was published.
        MismatchError: it is of another format.
    """
    manifest, checking = opened(version, unread)
    checking.finish()
    return manifest


def opened(version: SpaceLayout, unread: Collection[str] = ()) -> tuple[dict[str, Any], Checking]:
    """As `verified`, but large files are compared from now on in the background; they are there, at least.

    Raises:
        IntegrityError: the manifest or a file is missing, incomplete, or not the one that was published.
        MismatchError: it is of another format.
    """
    manifest = manifest_of(version)
    files = manifest["files"]
    if not isinstance(files, dict) or space_id_of(files) != manifest["space_id"]:
        raise MismatchError(f"{version.manifest}: the space id does not fit the files it names; build the run again.")
    later: dict[Path, str] = {}
    for name, expected in files.items():
        path = version.root / name
        if name in unread:
            continue
        if path.is_file() and path.stat().st_size > LARGE_FILE:
            later[path] = expected
        elif said := wrong(path, expected):
            raise IntegrityError(said)
    return manifest, Checking(later)


def _instead(run: RunLayout) -> str:
    there = sorted(path.name for path in run.spaces.glob("*") if SPACE_ID.fullmatch(path.name))
    return f"write one of {', '.join(there)} into it, or build the run again." if there else "build the run again."
