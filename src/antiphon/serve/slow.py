"""Connections that send a request's head slowly, or never: they are closed, so that they do not hold a place.

uvicorn has a limit for the pause between requests, but none for how long a head may take.
"""

from __future__ import annotations

import asyncio
from typing import Any

HEAD_SECONDS = 10.0


class Patience:
    """Closes a connection unless it is told in time that an answer is under way."""

    def __init__(self, protocol: Any, seconds: float) -> None:
        self.protocol, self.seconds = protocol, seconds
        self.timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """Stop waiting where a request is being answered; else wait, from when it was not."""
        if self._answering():
            self.stop()
        elif self.timer is None:
            self.timer = self.protocol.loop.call_later(self.seconds, self._end)

    def stop(self) -> None:
        """Wait no more."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = None

    def _answering(self) -> bool:
        cycle = self.protocol.cycle
        return cycle is not None and not cycle.response_complete

    def _end(self) -> None:
        self.timer = None
        if not self._answering() and not self.protocol.transport.is_closing():
            self.protocol.transport.close()


def impatient(seconds: float = HEAD_SECONDS) -> type[asyncio.Protocol]:
    """The protocol of uvicorn, with a limit for the head of each request, from its first byte to its last."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    usual: Any = AutoHTTPProtocol

    class Impatient(usual):  # type: ignore[misc]
        """Waits so long for a head, and no longer."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.patience = Patience(self, seconds)
            self.patience.look()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.patience.look()

        def connection_lost(self, exc: Exception | None) -> None:
            self.patience.stop()
            super().connection_lost(exc)

    return Impatient
