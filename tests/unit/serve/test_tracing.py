"""Traces: a span for each request with its route and id, in the trace of whoever asked, and for each stage."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from antiphon.serve import Settings, create_app
from antiphon.serve.quantiles import Quantiles

export = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")


def test_a_request_is_a_span_of_the_asker_s_trace(film_run, monkeypatch):
    """Name, route, status and id, and nothing of what was asked; stages are spans as well."""
    from antiphon.serve import app as module
    from antiphon.serve.tracing import Tracing

    exporter = export.InMemorySpanExporter()
    monkeypatch.setattr(module, "Tracing", lambda: Tracing(exporter))
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "x-request-id": "q-1"}
    with TestClient(create_app(film_run, Settings(traces=True, poll=0))) as client:
        assert client.post("/v1/search", json={"text": "my secret", "k": 2}, headers=headers).status_code == 200
        assert client.get("/v1/items/film-001").status_code == 200
        assert client.get("/v1/items/nobody").status_code == 404
        spans = exporter.get_finished_spans()
    search = next(span for span in spans if span.name == "POST /v1/search")
    assert f"{search.context.trace_id:032x}" == trace
    assert search.attributes["antiphon.request_id"] == "q-1"
    assert search.attributes["http.response.status_code"] == 200
    items = [span for span in spans if span.name == "GET /v1/items/{item_id}"]
    assert [span.attributes["http.response.status_code"] for span in items] == [200, 404]
    stages = {span.attributes["antiphon.stage"] for span in spans if "antiphon.stage" in span.attributes}
    assert {"encode", "search", "render"} <= stages
    said = str([(span.name, dict(span.attributes)) for span in spans])
    assert "secret" not in said
    assert "film-001" not in said


def test_quantiles_are_those_of_the_last_thousand(film_run):
    """The smallest duration that half, or 99 of 100, do not exceed; what is older does not count."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    quantiles = Quantiles(registry)
    for value in [1e6] * 5 + [number / 1000 for number in range(1, 1001)]:
        quantiles.observe("encode", value)
    assert (quantiles.of("encode", 0.5), quantiles.of("encode", 0.99)) == (0.5, 0.99)
    assert quantiles.of("nothing", 0.5) != quantiles.of("nothing", 0.5)  # NaN
    text = generate_latest(registry).decode()
    assert 'antiphon_stage_quantile_seconds{quantile="0.99",stage="encode"} 0.99' in text
    with TestClient(create_app(film_run, Settings(poll=0))) as client:
        client.post("/v1/search", json={"text": "a drama"})
        assert 'antiphon_stage_quantile_seconds{quantile="0.5",stage="encode"}' in client.get("/metrics").text
