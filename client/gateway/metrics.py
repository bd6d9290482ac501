# SPDX-License-Identifier: Apache-2.0
"""The gateway's own Prometheus series, `cg_gateway_*`; touched per reply, never per token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.registry import Collector

_TTFT_BUCKETS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
_EXPLAIN_BUCKETS = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)


@dataclass
class ReplyStats:
    """What one reply counted. `outcome` is `done`, `cancelled` or an error code."""

    tokens: int = 0
    sponsored: int = 0
    ttft_s: float | None = None
    outcome: str = "done"


class Metrics:
    """A registry per gateway, so two in one process do not collide."""

    def __init__(self, live: Callable[[], int]):
        self._registry = registry = CollectorRegistry()
        self._replies = Counter(
            "cg_gateway_replies_total", "Replies by outcome.", ["outcome"], registry=registry
        )
        self._tokens = Counter("cg_gateway_tokens_total", "Tokens streamed.", registry=registry)
        self._sponsored = Counter(
            "cg_gateway_sponsored_tokens_total", "Sponsored tokens streamed.", registry=registry
        )
        self._ttft = Histogram(
            "cg_gateway_ttft_seconds",
            "Request accepted to first token.",
            buckets=_TTFT_BUCKETS,
            registry=registry,
        )
        self._explained = Counter(
            "tve_explain_total", "Explanations by outcome.", ["outcome"], registry=registry
        )
        self._explain = Histogram(
            "tve_explain_seconds",
            "Computing one explanation: context vector and token attributions.",
            buckets=_EXPLAIN_BUCKETS,
            registry=registry,
        )
        self._clicks = Counter(
            "orch_clicks_total", "Clicks told, by outcome.", ["outcome"], registry=registry
        )
        self._told = Counter(
            "phantom_told_total",
            "Events and prices told, by stream and outcome; a refused request counts once.",
            ["stream", "outcome"],
            registry=registry,
        )
        Gauge("cg_gateway_live_replies", "Replies open now.", registry=registry).set_function(live)

    def record(self, stats: ReplyStats) -> None:
        """Add one finished reply."""
        self._replies.labels(stats.outcome).inc()
        self._tokens.inc(stats.tokens)
        self._sponsored.inc(stats.sponsored)
        if stats.ttft_s is not None:
            self._ttft.observe(stats.ttft_s)

    def explained(self, outcome: str, seconds: float | None = None) -> None:
        """Add one explanation; `outcome` is `done` or an error code."""
        self._explained.labels(outcome).inc()
        if seconds is not None:
            self._explain.observe(seconds)

    def clicked(self, outcome: str) -> None:
        """Add one click that was told; `outcome` is `done` or an error code."""
        self._clicks.labels(outcome).inc()

    def told(self, stream: str, outcome: str, count: int) -> None:
        """Add events or prices told; `outcome` is `done`, `duplicate` or an error code."""
        self._told.labels(stream, outcome).inc(count)

    def watch_sessions(self, live: Callable[[], int]) -> None:
        """Show how many sessions are held."""
        gauge = Gauge("phantom_live_sessions", "Sessions held now.", registry=self._registry)
        gauge.set_function(live)

    def register(self, series: Collector) -> None:
        """Series that somebody else keeps."""
        self._registry.register(series)

    def text(self) -> bytes:
        """Prometheus text format."""
        return generate_latest(self._registry)
