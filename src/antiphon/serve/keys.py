"""Who may ask: API keys, kept as hashes, with what each may do and how often, read again when their file changes.

A line of the file is a key, or a name and a hash with what it may do, as `antiphon keys new` prints it::

    alice sha256:5e88... read rate=600

Hashes are plain SHA-256: keys are drawn, not thought of, so that there is nothing to guess. A key that somebody made up
is as weak as it was.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from antiphon.errors import ConfigError

VARIABLE = "ANTIPHON_API_KEYS"
MIN_KEY = 8
SCOPES = ("read", "write")
MARK = "sha256:"
LOOK = 1.0
"""Seconds between looks at the file of keys."""
WRITES = ("/v1/reload",)
"""Paths whose POST changes something; so do PUT, PATCH and DELETE of any path."""
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_HASH = re.compile(r"[0-9a-f]{64}")
LOG = logging.getLogger("antiphon.serve")


@dataclass(frozen=True)
class Key:
    """A key without itself: the SHA-256 of it in hex, its name in logs, what it may do, and requests a minute."""

    digest: str
    name: str
    scopes: tuple[str, ...] = SCOPES
    rate: int | None = None

    @classmethod
    def of(cls, secret: str, name: str | None = None) -> Key:
        """A key that may do everything.

        Raises:
            ConfigError: it is too short, or has signs that a header cannot have.
        """
        if len(secret) < MIN_KEY or not secret.isascii() or not secret.isprintable() or " " in secret:
            raise ConfigError(f"an API key has {len(secret)} characters; it has {MIN_KEY} or more, printable ASCII.")
        digest = hashlib.sha256(secret.encode()).hexdigest()
        return cls(digest, name or f"key-{digest[:8]}")

    def line(self) -> str:
        """The key as a line of a file of keys."""
        rate = "" if self.rate is None else f" rate={self.rate}"
        return f"{self.name} {MARK}{self.digest} {','.join(self.scopes)}{rate}"


def new_key(name: str, scopes: Sequence[str], rate: int | None) -> tuple[str, Key]:
    """A key that was just drawn (256 bits), and what is kept of it.

    Raises:
        ConfigError: the name is none.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"the name {name!r} is none for a key; it has 1 to 64 letters, digits, and signs of ._@-.")
    secret = f"ant_{secrets.token_urlsafe(32)}"
    return secret, Key(Key.of(secret).digest, name, tuple(scopes), rate)


def read_keys(file: Path | None, environment: Mapping[str, str] | None = None) -> tuple[Key, ...]:
    """Keys of a file, one a line, `#` for comments, and of ANTIPHON_API_KEYS, separated by commas.

    Raises:
        ConfigError: the file cannot be read or has no key, or a line is none.
    """
    found: list[Key] = []
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the file of API keys {file} cannot be read ({error}).") from error
        found = [
            _key(line.split(), f"{file}, line {number}")
            for number, line in enumerate(lines, 1)
            if line.strip() and not line.strip().startswith("#")
        ]
        if not found:
            raise ConfigError(f"the file of API keys {file} has no key; write one a line.")
    given = (os.environ if environment is None else environment).get(VARIABLE, "")
    found += [Key.of(key.strip()) for key in given.split(",") if key.strip()]
    return tuple({key.digest: key for key in found}.values())


def _key(words: list[str], where: str) -> Key:
    if len(words) == 1:
        return Key.of(words[0])
    name, digest, *rest = words
    if not _NAME.fullmatch(name) or not digest.startswith(MARK) or not _HASH.fullmatch(digest.removeprefix(MARK)):
        raise ConfigError(
            f"{where}: expected a key, or a name, {MARK} with 64 hex digits, and scopes; got {name!r} first."
        )
    scopes: tuple[str, ...] = SCOPES
    rate = None
    for word in rest:
        if word.startswith("rate="):
            rate = _rate(word.removeprefix("rate="), where)
            continue
        scopes = tuple(word.split(","))
        if unknown := [scope for scope in scopes if scope not in SCOPES]:
            raise ConfigError(f"{where}: there is no scope {unknown[0]!r}; known are: {', '.join(SCOPES)}.")
    return Key(digest.removeprefix(MARK), name, scopes, rate)


def _rate(text: str, where: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ConfigError(f"{where}: rate={text} is no number of requests a minute.")
    return int(text)


class KeyRing:
    """The keys in use. Where they come from a file, it is looked at each second: keys come and go without a restart.

    A file that cannot be read leaves the keys as they were, and says so once in the log.
    """

    def __init__(self, keys: Sequence[Key | str], file: Path | None = None) -> None:
        self._fixed = tuple(key if isinstance(key, Key) else Key.of(key) for key in keys)
        self._file, self._lock = file, threading.Lock()
        self._mark, self._looked = _mark(file), time.monotonic()
        self.keys: tuple[Key, ...] = (*self._fixed, *(read_keys(file, {}) if file is not None else ()))

    def __bool__(self) -> bool:
        return bool(self.keys) or self._file is not None

    def find(self, secret: bytes) -> Key | None:
        """The key that this is; None for any other.

        Every key is compared, each in constant time: how long it takes says nothing about which one is near.
        """
        self._look()
        digest = hashlib.sha256(secret).hexdigest()
        found = [key for key in self.keys if hmac.compare_digest(key.digest, digest)]
        return found[0] if found else None

    def _look(self) -> None:
        if self._file is None or time.monotonic() - self._looked < LOOK:
            return
        with self._lock:
            self._looked, mark = time.monotonic(), _mark(self._file)
            if mark == self._mark:
                return
            self._mark = mark
            try:
                self.keys = (*self._fixed, *read_keys(self._file, {}))
            except ConfigError as error:
                LOG.warning("the API keys stay as they were: %s", error)
            else:
                LOG.info("took up %d API keys of %s", len(self.keys), self._file)


def _mark(file: Path | None) -> tuple[int, int, int] | None:
    try:
        status = None if file is None else file.stat()
    except OSError:
        return None
    return None if status is None else (status.st_mtime_ns, status.st_size, status.st_ino)


def secret_of(headers: Mapping[bytes, bytes]) -> bytes:
    """The key that a request brings; empty where it brings none."""
    given = headers.get(b"authorization", b"")
    return given[7:].strip() if given[:7].lower() == b"bearer " else headers.get(b"x-api-key", b"")


def scope_of(method: str, path: str) -> str:
    """What a request wants to do: "read" or "write"."""
    return "write" if method in ("PUT", "PATCH", "DELETE") or (method == "POST" and path in WRITES) else "read"
