"""Connections to a database of PostgreSQL, and what is said where it does not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from antiphon.errors import MissingExtraError, StoreError

T = TypeVar("T")


class Pool:
    """Connections to one database, one for each thread that asks at a time; a broken one is made anew."""

    def __init__(self, url: str, timeout: int) -> None:
        self.url, self.timeout = url, timeout
        self._free: list[Any] = []
        self._lock = threading.Lock()

    def run(self, work: Callable[[Any], T], *, again: bool = True) -> T:
        """What `work` makes of a connection; asked once more where a connection that was kept is broken.

        Raises:
            StoreError: the database cannot be reached, or refuses.
        """
        psycopg = _psycopg()
        try:
            with self._connection() as (connection, is_new):
                try:
                    return work(connection)
                except psycopg.OperationalError:
                    if is_new or not again or not connection.closed:
                        raise
            self.close()  # a server that was started again has closed all of them
            with self._connection() as (connection, _):
                return work(connection)
        except psycopg.Error as error:
            raise StoreError(f"the PostgreSQL store {_place(self.url)} {_said(error)}") from error

    def rows(self, statement: str, values: Any) -> list[Any]:
        """The lines that a statement finds.

        Raises:
            StoreError: as `run`.
        """
        found: list[Any] = self.run(lambda connection: connection.execute(statement, values).fetchall())
        return found

    @contextmanager
    def _connection(self) -> Iterator[tuple[Any, bool]]:
        with self._lock:
            kept = self._free.pop() if self._free else None
        connection = kept or _psycopg().connect(self.url, autocommit=True, connect_timeout=self.timeout)
        try:
            yield connection, kept is None
        finally:
            if connection.closed:
                connection.close()
            else:
                with self._lock:
                    self._free.append(connection)

    def close(self) -> None:
        """Close those that nobody uses."""
        with self._lock:
            free, self._free = self._free, []
        for connection in free:
            connection.close()


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise MissingExtraError("psycopg", "postgres", "the PostgreSQL store") from error
    return psycopg


def _place(url: str) -> str:
    """Where a database is, without what is secret."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return f"{parts.hostname or 'on this machine'}{parts.path}"


def _said(error: Any) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(error, _psycopg().OperationalError):
        return f"cannot be reached ({reason}); is it running, and does the url fit?"
    return f"refuses ({reason}); does the database have the extension vector (pgvector 0.8 or newer)?"
