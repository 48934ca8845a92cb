"""Traces for OpenTelemetry: a span for each request, and one for each stage of the batches that answer them.

Where they go is said in the environment, as everywhere: OTEL_EXPORTER_OTLP_ENDPOINT and what belongs to it. A request
that comes with a `traceparent` goes on in the trace of whoever asked. A batch answers several requests at once, so its
stages are spans of their own.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from antiphon.base import runtime
from antiphon.base.package import __version__

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
PURPOSE = "sending traces"


class Tracing:
    """Makes spans; `exporter` is where they go, that of the environment where not given.

    Raises:
        MissingExtraError: the packages of the extra `otel` are not installed.
    """

    def __init__(self, exporter: Any | None = None) -> None:
        sdk = runtime.library("opentelemetry.sdk.trace", "otel", PURPOSE)
        export = runtime.library("opentelemetry.sdk.trace.export", "otel", PURPOSE)
        resources = runtime.library("opentelemetry.sdk.resources", "otel", PURPOSE)
        self._parent = runtime.library("opentelemetry.trace.propagation.tracecontext", "otel", PURPOSE)
        self._trace = runtime.library("opentelemetry.trace", "otel", PURPOSE)
        resource = resources.Resource.create({"service.name": "antiphon", "service.version": __version__})
        self._provider = sdk.TracerProvider(resource=resource)
        if exporter is None:
            otlp = runtime.library("opentelemetry.exporter.otlp.proto.http.trace_exporter", "otel", PURPOSE)
            self._provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
        else:
            self._provider.add_span_processor(export.SimpleSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("antiphon", __version__)

    def stage(self, name: str, seconds: float) -> None:
        """A span of a stage that has just ended."""
        end = time.time_ns()
        span = self._tracer.start_span(f"antiphon {name}", start_time=end - round(seconds * 1e9))
        span.set_attribute("antiphon.stage", name)
        span.end(end)

    def request(self, scope: Message) -> Any:
        """A span of a request that begins."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        context = self._parent.TraceContextTextMapPropagator().extract(headers)
        span = self._tracer.start_span(scope["method"], context, kind=self._trace.SpanKind.SERVER)
        span.set_attribute("http.request.method", scope["method"])
        return span

    def finish(self, span: Any, scope: Message, status: int) -> None:
        """The end of a request's span: its route, never its path, which may name what was asked for."""
        route = getattr(scope.get("route"), "path_format", None) or "other"
        span.update_name(f"{scope['method']} {route}")
        span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", status)
        span.set_attribute("antiphon.request_id", scope.get("state", {}).get("request_id", ""))
        if status >= 500:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end()

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()


class Traced:
    """Wraps an application so that each request has a span."""

    def __init__(self, app: App, tracing: Tracing) -> None:
        self.app, self.tracing = app, tracing

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        span, status = self.tracing.request(scope), [500]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            self.tracing.finish(span, scope, status[0])
