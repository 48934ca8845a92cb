"""How fast requests may follow each other: limits per minute, and a pause for all when the server asks for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Clock = Callable[[], float]


@dataclass
class Pace:
    """Gives each request its turn; shared by threads. `stop` ends all waiting.

    Requests are spread evenly, so a burst is never larger than the number of workers.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    clock: Clock = time.monotonic
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def turn(self, tokens: int) -> float:
        """Seconds until a request of so many tokens may go; the turn is taken."""
        with self._lock:
            now = self.clock()
            start = max(now, self._next)
            by_requests = 60 / self.requests_per_minute if self.requests_per_minute else 0.0
            by_tokens = 60 * tokens / self.tokens_per_minute if self.tokens_per_minute else 0.0
            self._next = start + max(by_requests, by_tokens)
            return start - now

    def hold(self, seconds: float) -> None:
        """Let nobody go for some seconds: the server said that there are too many."""
        with self._lock:
            self._next = max(self._next, self.clock() + seconds)

    def wait(self, seconds: float) -> bool:
        """Wait; False where the work was stopped meanwhile."""
        return not self.stop.wait(seconds) if seconds > 0 else not self.stop.is_set()
