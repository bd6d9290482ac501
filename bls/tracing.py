# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry, off unless `SKYNET_TRACES` says where spans go.

`otlp` uses the standard OTEL_EXPORTER_OTLP_* variables; `console` prints; `file:PATH` appends
one JSON span per line. A reply is one trace: the gateway starts it, `token_auction` continues it.
"""

from __future__ import annotations

from pathlib import Path

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExporter,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


def setup_tracing(traces: str, service: str) -> trace.Tracer:
    """The process's tracer; a no-op one for `off`."""
    if traces == "off":
        return trace.NoOpTracer()
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if traces.startswith("file:"):
        # Long-lived on purpose: it lives as long as the process.
        file = Path(traces.removeprefix("file:")).open("a", encoding="utf-8")  # noqa: SIM115
        exporter: SpanExporter = ConsoleSpanExporter(
            out=file, formatter=lambda span: span.to_json(indent=None) + "\n"
        )
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    elif traces == "console":
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    else:
        provider.add_span_processor(BatchSpanProcessor(_otlp()))
    return provider.get_tracer("skynet")


def _otlp() -> SpanExporter:
    """Imported when asked for: it loads an HTTP client that a reply does not need."""
    from opentelemetry.exporter.otlp.proto.http import trace_exporter  # noqa: PLC0415

    return trace_exporter.OTLPSpanExporter()


def parent_context(traceparent: str | None) -> Context | None:
    """The caller's trace, from a W3C `traceparent` value; None starts a new one."""
    if not traceparent:
        return None
    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})


def current_traceparent(span: trace.Span) -> str | None:
    """The W3C header value that continues `span` elsewhere."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent")
