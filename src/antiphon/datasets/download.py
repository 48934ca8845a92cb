"""Downloading the original of a public data set: over HTTPS, with progress, a size cap and a checksum."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath

from antiphon import storage
from antiphon.errors import DataError
from antiphon.progress import Progress

BLOCK = 1 << 16


def download(url: str, target: Path, *, sha256: str, max_bytes: int, progress: Progress, timeout: float = 30) -> Path:
    """Fetch `url` to `target`, refusing more than `max_bytes` or another SHA-256 than expected.

    Raises:
        DataError: no connection, too large, or not the file that was expected.
    """
    if not url.startswith("https://"):
        raise DataError(f"{url}: data sets are fetched over https only.")
    state = hashlib.sha256()
    try:
        with (
            urllib.request.urlopen(url, timeout=timeout) as response,  # noqa: S310  https, checked above
            storage.replacing(target) as beside,
            beside.open("wb") as file,
            progress(f"downloading {target.name}", int(response.headers.get("Content-Length") or 0)) as advance,
        ):
            size = 0
            while block := response.read(BLOCK):
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
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise DataError(
            f"{url} cannot be reached ({error}); get the files another way and name their folder with --from."
        ) from error
    return target


def unzip(archive: Path, out: Path, *, max_bytes: int) -> Path:
    """Unpack a zip below `out`, refusing names that leave it and more than `max_bytes`.

    Raises:
        DataError: a hostile or broken archive.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = packed.infolist()
            if sum(member.file_size for member in members) > max_bytes:
                raise DataError(f"{archive} unpacks to more than {max_bytes:,} bytes.")
            for member in members:
                name = PurePosixPath(member.filename)
                if name.is_absolute() or ".." in name.parts:
                    raise DataError(f"{archive} holds the name {member.filename!r}, which leaves its folder.")
            packed.extractall(out)
    except zipfile.BadZipFile as error:
        raise DataError(f"{archive} is not a readable zip file ({error}).") from error
    return out
