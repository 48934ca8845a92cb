"""A log of who did what: one JSON object a line, for every request that a key, or its lack, decided about.

What was asked for is not in it: a line says who, from where, what kind of request, and how it ended.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from antiphon.errors import ConfigError


class Audit:
    """Appends to a file that only its owner may read; after a rotation by others it goes on in a new one."""

    def __init__(self, file: Path) -> None:
        try:
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
            handler = WatchedFileHandler(file, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"the audit log {file} cannot be written ({error.strerror}).") from error
        handler.setFormatter(logging.Formatter("%(message)s"))
        self._handler = handler  # no logger: nothing else may silence it or read it

    def note(self, **facts: Any) -> None:
        """One line: the time in UTC, and the facts."""
        now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, **facts})
        self._handler.handle(logging.LogRecord("antiphon.audit", logging.INFO, "", 0, line, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()
