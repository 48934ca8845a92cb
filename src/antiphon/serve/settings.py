"""What the service is told by whoever runs it: limits, keys, and what it may log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from antiphon.serve.keys import Key


@dataclass(frozen=True)
class Settings:
    """Limits and manners of the service; the defaults are those of `antiphon serve`.

    `keys`: who has one may ask; without any, everybody may. `key_file`: more of them, read again when the file changes.
    `rate`: requests a minute of a key that says no other, or of an address where there are no keys; 0 for no limit.
    `audit`: a file that says who did what. `slow`: seconds from which a request is logged as slow; 0 for none.
    `traces`: spans for OpenTelemetry. `origins`: other sites whose pages may ask (CORS).
    `hosts`: names under which the service may be called, against DNS rebinding; empty allows all. `log_queries`: texts
    and item ids may be logged. `poll`: seconds between looks for a new version; 0 turns it off. `timeout`: seconds
    until a request is given up. `max_upload`: bytes of a request with a picture or a sound. `max_waiting`: queries that
    may wait; more are refused with 503.
    """

    keys: tuple[Key | str, ...] = ()
    key_file: Path | None = None
    rate: int = 0
    audit: Path | None = None
    slow: float = 1.0
    traces: bool = False
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
