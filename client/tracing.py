# SPDX-License-Identifier: Apache-2.0
"""The root span of a reply. Off, the default, it costs one regular expression and no SDK.

`token_auction` continues the trace through `ReplyRequest.traceparent`; exporters are those of
`bls.tracing`, chosen by `SKYNET_TRACES`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def valid_traceparent(value: str | None) -> str | None:
    """`value` if it is a W3C trace context, else None."""
    return value if value is not None and _TRACEPARENT.fullmatch(value) else None


class ReplySpan:
    """`traceparent` is what to pass on; `span` is None when tracing is off."""

    def __init__(self, traceparent: str | None, span: Span | None = None):
        self.traceparent = traceparent
        self._span = span

    def set(self, name: str, value: str | int | float) -> None:
        """Note a fact about the reply."""
        if self._span is not None:
            self._span.set_attribute(name, value)


class Tracing:
    """What `SKYNET_TRACES` asks for."""

    def __init__(self, traces: str = "off"):
        self._tracer = _tracer(traces)

    @contextmanager
    def reply(self, parent: str | None, attributes: Mapping[str, str]) -> Iterator[ReplySpan]:
        """A span around one reply; `parent` is the caller's `traceparent`, if any."""
        known = valid_traceparent(parent)
        if self._tracer is None:
            yield ReplySpan(known)
            return
        from bls.tracing import current_traceparent, parent_context  # noqa: PLC0415

        context = parent_context(known)
        with self._tracer.start_as_current_span("reply", context, attributes=attributes) as span:
            yield ReplySpan(current_traceparent(span), span)


def _tracer(traces: str) -> Tracer | None:
    if traces == "off":
        return None
    from bls.tracing import setup_tracing  # noqa: PLC0415

    return setup_tracing(traces, "skynet-gateway")
