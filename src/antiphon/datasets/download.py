"""Downloading the original of a public data set: over HTTPS, with progress, a size cap and a checksum."""

from __future__ import annotations

import hashlib
import http.client
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from antiphon.base import storage
from antiphon.base.progress import Progress
from antiphon.errors import DataError, RunError

BLOCK = 1 << 16
TIMEOUT = 30.0
Opener = Callable[[str], Any]


def _open(url: str) -> Any:
    return urllib.request.urlopen(url, timeout=TIMEOUT)  # noqa: S310  `download` takes https only


def download(
    url: str, target: Path, *, sha256: str, max_bytes: int, progress: Progress, opener: Opener = _open
) -> Path:
    """Fetch `url` to `target`, refusing more than `max_bytes` or another SHA-256 than expected.

    `opener` makes the connection: it takes the address and gives a response to read, as `urllib.request.urlopen` does.

    Raises:
        DataError: no connection, too large, or not the file that was expected.
        RunError: the target cannot be written to.
    """
    if not url.startswith("https://"):
        raise DataError(f"{url}: data sets are fetched over https only.")
    state = hashlib.sha256()
    with _connection(url, opener) as response, storage.replacing(target) as beside:
        total = int(response.headers.get("Content-Length") or 0)
        with beside.open("wb") as file, progress(f"downloading {target.name}", total) as advance:
            size = 0
            while block := _read(response, url):
                size += len(block)
                if size > max_bytes:
                    raise DataError(f"{url} is larger than {max_bytes:,} bytes; it is not the file that was expected.")
                state.update(block)
                file.write(block)
                advance(len(block))
        if state.hexdigest() != sha256:
            raise DataError(
                f"{url}: the SHA-256 is {state.hexdigest()}, expected {sha256}; it is broken or has changed."
            )
    return target


def _connection(url: str, opener: Opener) -> Any:
    try:
        return opener(url)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, error) from error


def _read(response: Any, url: str) -> bytes:
    # Caught here, not around the loop: there an error of the network looks like one of the disk.
    try:
        block: bytes = response.read(BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, error) from error
    return block


def _unreachable(url: str, error: Exception) -> DataError:
    return DataError(f"{url} cannot be read ({error}); get the files another way and name their folder with --from.")


def unzip(archive: Path, out: Path, *, max_bytes: int) -> Path:
    """Unpack a zip below `out`, refusing names that leave it and more than `max_bytes`.

    Raises:
        DataError: a hostile, broken or encrypted archive.
        RunError: the folder cannot be written to.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = packed.infolist()
            if sum(member.file_size for member in members) > max_bytes:
                raise DataError(f"{archive} unpacks to more than {max_bytes:,} bytes.")
            for member in members:
                name = PurePosixPath(member.filename.replace("\\", "/"))
                if name.is_absolute() or ".." in name.parts:
                    raise DataError(f"{archive} holds the name {member.filename!r}, which leaves its folder.")
            packed.extractall(out)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
        raise DataError(f"{archive} is not a readable zip file ({error}).") from error
    except OSError as error:
        raise RunError(f"cannot unpack {archive} into {out}: {error.strerror or error}.") from error
    return out
