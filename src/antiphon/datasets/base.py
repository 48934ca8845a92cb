"""What a data set is: it makes a project's folder, with an antiphon.toml, from files on disk or fetched ones."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from antiphon.base import storage
from antiphon.base.progress import Progress
from antiphon.errors import DataError

VARIABLE = "ANTIPHON_DATA"
Prepare = Callable[[Path, Path, Progress], Mapping[str, Any]]
Make = Callable[[Path, Path, Progress], None]
Fetch = Callable[[Path, Progress], Path]
SOURCE = "{source}"
"""In the texts of a data set's TOML file: the folder with its files."""


@dataclass(frozen=True)
class Dataset:
    """A data set that antiphon knows by name.

    `files` must be in its folder. `prepare(source, out, progress)` returns the configuration, and may write files
    into `out`. `fetch(out, progress)` downloads the originals and returns their folder; None where they cannot be.
    """

    name: str
    summary: str
    licence: str
    source: str
    files: Sequence[str]
    prepare: Prepare
    fetch: Fetch | None = None

    def find(self, given: Path | None = None) -> Path | None:
        """The folder with the data set's files: `given`, `given`/name, or below the folder that ANTIPHON_DATA names."""
        places = [given] if given is not None else []
        if given is None and os.environ.get(VARIABLE):
            places = [Path(os.environ[VARIABLE])]
        for place in places:
            for folder in (place / self.name, place):
                if all((folder / file).is_file() for file in self.files):
                    return folder.resolve()
        return None

    def make_project(self, out: Path, given: Path | None, progress: Progress) -> Path:
        """Write `out`/antiphon.toml, and what it needs; returns its path.

        Raises:
            DataError: the files are missing and cannot be fetched.
        """
        source = self.find(given)
        if source is None and given is None and self.fetch is not None:
            source = self.fetch(out / "original", progress)
        if source is None:
            raise DataError(self._missing(given))
        settings = self.prepare(source, out, progress)
        path = out / "antiphon.toml"
        storage.write_text(path, tomli_w.dumps(dict(settings)))
        return path

    def _missing(self, given: Path | None) -> str:
        named = f"the folder that {VARIABLE} names ({os.environ.get(VARIABLE) or 'not set'})"
        where = named if given is None else given
        return (
            f"the data set {self.name!r} needs the files {', '.join(self.files)}, which are not in {where}. "
            f"Name the folder with --from. They come from: {self.source}"
        )


def from_toml(file: Path, make: Make | None = None, fetch: Fetch | None = None) -> Dataset:
    """The data set that a TOML file describes: summary, licence, source, files, and `project`, its configuration.

    `make(source, out, progress)` writes the files into `out` that the project needs beside those of the source.
    """
    facts = tomllib.loads(file.read_text(encoding="utf-8"))
    project = facts.pop("project")

    def prepare(source: Path, out: Path, progress: Progress) -> Mapping[str, Any]:
        if make is not None:
            make(source, out, progress)
        settings: Mapping[str, Any] = _filled(project, str(source))
        return settings

    return Dataset(name=project["name"], **facts, prepare=prepare, fetch=fetch)


def _filled(value: Any, source: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, source) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, source) for inner in value]
    return value.replace(SOURCE, source) if isinstance(value, str) else value
