"""Numbers about the service for Prometheus; each application has its own registry."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from antiphon.serve.quantiles import Quantiles

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64)
RESULTS = (0, 1, 5, 10, 20, 50, 100, 200)


class Metrics:
    """Counters and histograms of one application."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._watchers: list[Callable[[str, float], None]] = []
        self.requests = Counter(
            "antiphon_requests", "Requests by route and status.", ["route", "status"], registry=self.registry
        )
        self.latency = Histogram(
            "antiphon_request_seconds", "Seconds to the answer.", ["route"], buckets=SECONDS, registry=self.registry
        )
        self.stages = Histogram(
            "antiphon_stage_seconds",
            "Seconds in a stage: queue (waiting for a batch), encode, search (filter, score), answer (both), render.",
            ["stage"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.batch = Histogram(
            "antiphon_batch_queries", "Queries answered together.", buckets=SIZES, registry=self.registry
        )
        self.results = Histogram("antiphon_results", "Hits an answer has.", buckets=RESULTS, registry=self.registry)
        self.slow = Counter("antiphon_slow_requests", "Requests slower than --slow.", ["route"], registry=self.registry)
        self.quantiles = Quantiles(self.registry)
        self.errors = Counter("antiphon_errors", "Errors by kind.", ["kind"], registry=self.registry)
        self.reloads = Counter(
            "antiphon_reloads", "New versions taken up, and failures to.", ["outcome"], registry=self.registry
        )
        self.space = Gauge("antiphon_space_info", "The space in use.", ["space_id", "name"], registry=self.registry)
        self.n_items = Gauge("antiphon_space_items", "Items in the space.", registry=self.registry)

    def stage(self, name: str, seconds: float) -> None:
        """Note how long a stage of an answer took."""
        self.stages.labels(name).observe(seconds)
        self.quantiles.observe(name, seconds)
        for told in self._watchers:
            told(name, seconds)

    def watch(self, told: Callable[[str, float], None]) -> None:
        """Tell somebody else of each stage as well."""
        self._watchers.append(told)

    def use(self, space_id: str, name: str, n_items: int) -> None:
        """Note the space in use."""
        self.space.clear()
        self.space.labels(space_id, name).set(1)
        self.n_items.set(n_items)

    def render(self) -> bytes:
        """Everything in the text format."""
        return generate_latest(self.registry)
