"""What a data set is: it makes a project's folder, with an antiphon.toml, from files that are there or fetched."""

from __future__ import annotations

import os
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
Fetch = Callable[[Path, Progress], Path]


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
            DataError: the files are not there and cannot be fetched.
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
        where = (
            str(given)
            if given is not None
            else f"the folder that {VARIABLE} names ({os.environ.get(VARIABLE) or 'not set'})"
        )
        return (
            f"the data set {self.name!r} needs the files {', '.join(self.files)}, which are not in {where}. "
            f"Name the folder with --from. They come from: {self.source}"
        )
