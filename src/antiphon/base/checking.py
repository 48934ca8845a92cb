"""Checksums of large files, compared while their owner is at work already."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from antiphon.base import storage
from antiphon.errors import IntegrityError

LARGE_FILE = 256_000_000
"""Bytes above which a file is compared in the background: reading it costs longer than a start should take."""


class Checking:
    """Compares files with their SHA-256, `expected` by path, one after another in a thread of its own."""

    def __init__(self, expected: Mapping[Path, str]) -> None:
        self._expected, self._error = dict(expected), ""
        self._thread = threading.Thread(target=self._compare, name="antiphon-checksums", daemon=True)
        if self._expected:
            self._thread.start()

    def _compare(self) -> None:
        for path, digest in self._expected.items():
            self._error = wrong(path, digest)
            if self._error:
                return

    @property
    def is_done(self) -> bool:
        """Whether every file was compared, or one was found wrong."""
        return not self._thread.is_alive()

    def refuse(self) -> None:
        """Say it where a file has been found wrong.

        Raises:
            IntegrityError: one has.
        """
        if self._error:
            raise IntegrityError(self._error)

    def finish(self) -> None:
        """Wait until all files are compared.

        Raises:
            IntegrityError: a file is missing, or not the one that was published.
        """
        if self._expected:
            self._thread.join()
        self.refuse()


def wrong(path: Path, digest: str) -> str:
    """What is wrong with a file that should have this SHA-256; empty where nothing is."""
    try:
        if not path.is_file():
            return f"{path} is missing; build the run again."
        if storage.sha256(path) != digest:
            return f"{path} is not the file that was published (its SHA-256 differs); build the run again."
    except OSError as error:
        return f"{path} cannot be read ({error.strerror or error}); look at permissions and at the disk."
    return ""
