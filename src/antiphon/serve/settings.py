"""What the service is told by whoever runs it: limits, keys, and what it may log."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from antiphon.errors import ConfigError

VARIABLE = "ANTIPHON_API_KEYS"
MIN_KEY = 8


@dataclass(frozen=True)
class Settings:
    """Limits and manners of the service; the defaults are those of `antiphon serve`.

    `keys`: who has one may ask; without any, everybody may. `origins`: other sites whose pages may ask (CORS).
    `hosts`: names under which the service may be called, against DNS rebinding; empty allows all. `log_queries`: texts
    and item ids may be logged. `poll`: seconds between looks for a new version; 0 turns it off. `timeout`: seconds
    until a request is given up. `max_upload`: bytes of a request with a picture or a sound. `max_waiting`: queries that
    may wait; more are refused with 503.
    """

    keys: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    max_body: int = 256 * 1024
    max_upload: int = 20 * 1024 * 1024
    max_k: int = 200
    max_offset: int = 5_000
    max_text: int = 2_000
    max_likes: int = 1_000
    max_batch: int = 32
    max_waiting: int = 1_024
    timeout: float = 10.0
    poll: float = 1.0
    log_queries: bool = False
    page: bool = True


def read_keys(file: Path | None, environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """API keys from a file, one a line, `#` for comments, and from ANTIPHON_API_KEYS, separated by commas.

    Raises:
        ConfigError: the file cannot be read or has no key, or a key is too short to be one.
    """
    lines: list[str] = []
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the file of API keys {file} cannot be read ({error}).") from error
    keys = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    if file is not None and not keys:
        raise ConfigError(f"the file of API keys {file} has no key; write one a line.")
    given = (os.environ if environment is None else environment).get(VARIABLE, "")
    keys += [key.strip() for key in given.split(",") if key.strip()]
    for key in keys:
        if len(key) < MIN_KEY or not key.isascii() or not key.isprintable():
            raise ConfigError(f"an API key has {len(key)} characters; it has {MIN_KEY} or more, printable ASCII.")
    return tuple(dict.fromkeys(keys))
