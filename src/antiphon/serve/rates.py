"""How often somebody may ask: a bucket of requests for each key, or for each address where there are no keys."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

KNOWN = 10_000
"""Askers that are remembered; of more, those who have not asked for the longest time are forgotten."""
SHARE = 6
"""A bucket holds this part of a minute's requests: so many may come at once."""


class Rates:
    """Buckets that fill evenly, `rate` requests a minute, and are full at the beginning."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, who: str, rate: int) -> float:
        """Take one request out of somebody's bucket: 0 where there was one, else the seconds until there will be."""
        now, most = self._clock(), max(1.0, rate / SHARE)
        left, since = self._buckets.pop(who, (most, now))
        left = min(most, left + max(0.0, now - since) * rate / 60)
        taken = left >= 1
        self._buckets[who] = (left - 1 if taken else left, now)
        while len(self._buckets) > KNOWN:
            self._buckets.popitem(last=False)
        return 0.0 if taken else (1 - left) * 60 / rate
