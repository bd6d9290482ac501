# SPDX-License-Identifier: Apache-2.0
"""Tracing: nothing when off, one JSON span a line in a file, one trace over two processes."""

from __future__ import annotations

import json
from pathlib import Path

from opentelemetry import trace
from opentelemetry.trace import NoOpTracer

from bls.tracing import current_traceparent, parent_context, setup_tracing

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = f"00-{TRACE}-b7ad6b7169203331-01"


def spans(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_off_does_nothing() -> None:
    tracer = setup_tracing("off", "test")
    assert isinstance(tracer, NoOpTracer)
    with tracer.start_as_current_span("reply") as span:
        assert not span.is_recording()
        assert current_traceparent(span) is None


def test_file_gets_one_span_a_line(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    tracer = setup_tracing(f"file:{file}", "test")
    for name in ("first", "second"):
        with tracer.start_as_current_span(name) as span:
            span.set_attribute("text", "two\nlines")
            span.add_event("first_token")
    written = spans(file)
    assert [span["name"] for span in written] == ["first", "second"]
    assert written[0]["attributes"] == {"text": "two\nlines"}
    assert written[0]["events"][0]["name"] == "first_token"
    assert written[0]["resource"]["attributes"]["service.name"] == "test"


def test_a_second_process_appends(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    for service in ("gateway", "token_auction"):
        with setup_tracing(f"file:{file}", service).start_as_current_span("reply"):
            pass
    services = [span["resource"]["attributes"]["service.name"] for span in spans(file)]
    assert services == ["gateway", "token_auction"]


def test_traceparent_continues_the_trace(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    tracer = setup_tracing(f"file:{file}", "test")
    with tracer.start_as_current_span("child", parent_context(CALLER)) as span:
        onward = current_traceparent(span)
    (written,) = spans(file)
    assert written["context"]["trace_id"] == f"0x{TRACE}"
    assert written["parent_id"] == "0xb7ad6b7169203331"
    assert onward is not None and onward.split("-")[1] == TRACE
    assert onward.split("-")[2] == written["context"]["span_id"].removeprefix("0x")


def test_no_traceparent_starts_a_new_trace() -> None:
    assert parent_context(None) is None and parent_context("") is None


def test_nonsense_traceparent_starts_a_new_trace(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    tracer = setup_tracing(f"file:{file}", "test")
    with tracer.start_as_current_span("reply", parent_context("00-zz-yy-xx")):
        pass
    assert spans(file)[0]["parent_id"] is None


def test_the_processs_own_tracing_is_left_alone(tmp_path: Path) -> None:
    """No global provider is set: libraries in the server's process stay silent."""
    before = trace.get_tracer_provider()
    setup_tracing(f"file:{tmp_path / 'spans.jsonl'}", "test")
    assert trace.get_tracer_provider() is before
