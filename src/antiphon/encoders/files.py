"""Files of items: read from a folder or a zip, told apart by what they hold, and what was wrong with some of them."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from antiphon.base import storage
from antiphon.config.sections import CatalogConfig
from antiphon.data.catalog import Catalog, Finding, Media
from antiphon.data.reading import open_zip
from antiphon.errors import ConfigError, DataError, nearest

FINDINGS = "findings.json"
N_EXAMPLES = 3


class MediaFiles:
    """The files of a catalog's items of one kind; several threads may read at once."""

    def __init__(self, media: Media, item_ids: Sequence[str], max_bytes: int) -> None:
        self.path, self.max_bytes = media.path, max_bytes
        self.names: list[str | None] = [
            media.pattern.replace("{item_id}", item_id) if there else None
            for item_id, there in zip(item_ids, media.present.tolist(), strict=True)
        ]
        self._zip = None if media.path.is_dir() else open_zip(media.path)

    @classmethod
    def of(cls, catalog: Catalog, name: str, max_bytes: int) -> MediaFiles:
        """The files of [catalog.media.NAME]."""
        return cls(catalog.media[name], catalog.item_ids, max_bytes)

    def stamp(self) -> list[Any]:
        """Names and sizes with checksums (zip) or times (folder): what changes when a file does, read in a moment."""
        return [None if name is None else self._stamp(name) for name in self.names]

    def _stamp(self, name: str) -> Any:
        if self._zip is not None:
            member = self._zip.getinfo(name)
            return name, member.file_size, member.CRC
        try:
            status = (self.path / name).stat()
        except OSError:
            return name, "gone"
        return name, status.st_size, status.st_mtime_ns

    def read(self, row: int) -> bytes:
        """What an item's file holds, at most one byte more than `max_bytes`, whatever size it claims to have.

        Raises:
            DataError: it cannot be read.
        """
        name = self.names[row]
        assert name is not None  # noqa: S101  callers ask for items that have a file
        if self._zip is None and (self.path / name).is_file() and not storage.is_inside(self.path / name, self.path):
            raise DataError(f"{self.path}: {name} is a symbolic link to another folder, which is not followed.")
        try:
            with self._zip.open(name) if self._zip is not None else (self.path / name).open("rb") as file:
                return file.read(self.max_bytes + 1)
        # A zip may be damaged, encrypted (RuntimeError) or packed in a way that is not known.
        except (OSError, KeyError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{self.path}: {name} cannot be read ({type(error).__name__}).") from error

    def key(self, row: int) -> str | None:
        """A hash of what an item's file holds; None where the item has none."""
        if self.names[row] is None:
            return None
        try:
            return hashlib.sha256(self.read(row)).hexdigest()
        except DataError:
            return f"unreadable-{storage.digest(self.names[row])[:32]}"


def check_media(catalog: CatalogConfig, name: str, modality: str) -> None:
    """Refuse a modality whose files the configuration does not name.

    Raises:
        ConfigError: there is no [catalog.media.NAME].
    """
    if name not in catalog.media:
        raise ConfigError(
            f"modality {modality!r} reads the files of [catalog.media.{name}], which the configuration does not have; "
            f"{nearest(name, catalog.media)}"
        )


def write_findings(workspace: Path, found: Iterable[tuple[str, str]], policies: Mapping[str, str], where: Path) -> None:
    """Keep what was found, for `antiphon inspect`: kinds with names of files, and kind -> what was done about it."""
    flawed: dict[str, list[str]] = {}
    for kind, name in found:
        flawed.setdefault(kind, []).append(name)
    findings = [
        Finding(kind, policies[kind], len(names), str(where), examples=tuple(names[:N_EXAMPLES]))
        for kind, names in flawed.items()
    ]
    storage.write_json(workspace / FINDINGS, [asdict(finding) for finding in findings])


def read_findings(workspace: Path) -> list[Finding]:
    """What an encoder found in the files of items; nothing where it did not look."""
    path = workspace / FINDINGS
    if not path.is_file():
        return []
    return [Finding(**{**item, "examples": tuple(item["examples"])}) for item in storage.read_json(path)]
