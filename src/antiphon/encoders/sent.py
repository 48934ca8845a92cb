"""Files of requests: a module that loads little, because each process that decodes files loads it."""

from __future__ import annotations

from pathlib import Path

from antiphon.errors import QueryError


def request_bytes(value: bytes | Path, noun: str, max_bytes: int) -> bytes:
    """What the file of a request holds, where it comes as a path at most one byte more than `max_bytes`.

    Raises:
        QueryError: it cannot be read; `noun` says what it should be.
    """
    if not isinstance(value, Path):
        return value
    try:
        with value.open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise QueryError(f"the {noun} {str(value)!r} cannot be read ({error.strerror}).") from error
