"""The median and the 99th percentile of each stage of an answer, over the last thousand of it."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily

WINDOW = 1_000
SHARES = (0.5, 0.99)


class Quantiles:
    """Exact quantiles of a window, as gauges: the buckets of a histogram are too wide to say what a p99 is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seen: dict[str, deque[float]] = {}
        self._lock = threading.Lock()
        registry.register(self)

    def observe(self, stage: str, seconds: float) -> None:
        """Note one duration."""
        with self._lock:
            self._seen.setdefault(stage, deque(maxlen=WINDOW)).append(seconds)

    def of(self, stage: str, share: float) -> float:
        """The smallest of the last durations that this share of them does not exceed; NaN if there are none."""
        with self._lock:
            seen = sorted(self._seen.get(stage, ()))
        return seen[max(0, math.ceil(share * len(seen)) - 1)] if seen else math.nan

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What Prometheus reads."""
        family = GaugeMetricFamily(
            "antiphon_stage_quantile_seconds",
            f"Quantiles of the seconds in a stage, over its last {WINDOW:,}.",
            labels=["stage", "quantile"],
        )
        for stage in sorted(self._seen):
            for share in SHARES:
                family.add_metric([stage, str(share)], self.of(stage, share))
        yield family
