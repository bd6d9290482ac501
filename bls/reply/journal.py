# SPDX-License-Identifier: Apache-2.0
"""What is written down of every reply: JSONL streams, running totals, one trace.

Streams: `mixer.log` and `vcg.log` (a line per token), `template.debug` (a line per reply),
`replay.audit` (a line per rebuilt KV cache), `policy.log` (a line per refused token), `e2e.trace`
(the receipt of every reply, also of cancelled and failed ones).
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry import trace

from bls.jsonlog import Fields, JsonLog
from bls.reply.loop import Reply, TokenEvent
from bls.reply.stats import ReplyStats
from bls.tracing import parent_context

_BATCH = 32


@dataclass
class Journal:
    """One per process. `reply` wraps the writing of one reply."""

    log: JsonLog
    stats: ReplyStats
    tracer: trace.Tracer

    @dataclass
    class Entry:
        """Per-token lines of one reply, handed to the log a batch at a time."""

        journal: Journal
        conv_id: str
        span: trace.Span
        lines: list[tuple[str, Fields]] = field(default_factory=list)

        def token(self, event: TokenEvent) -> None:
            outcome, stats = event.outcome, self.journal.stats
            key = {"ts": time.time(), "conv_id": self.conv_id, "token_idx": event.index}
            mixer = {
                "sum_weights": event.weights.sum(),
                "max_id": outcome.token,
                "ref_id": outcome.ref_token,
                "margin": outcome.margin,
                "near_tie": outcome.near_tie,
            }
            vcg = {
                "w": event.weights,
                "c_t": outcome.critical_bid,
                "pay": outcome.pay,
                "p_token": outcome.p_token,
                "w_minus": outcome.w_minus,
                "row_status": outcome.row_status,
            }
            self.lines += (("mixer.log", key | mixer), ("vcg.log", key | vcg))
            if len(self.lines) >= _BATCH:
                self.flush()
            with stats.lock:
                stats.tokens += 1
                stats.sponsored += outcome.sponsored
            if event.index == 0:
                self.span.add_event("first_token")

        def flush(self) -> None:
            lines, self.lines = self.lines, []
            self.journal.log.write_many(lines)

    @contextmanager
    def reply(self, reply: Reply) -> Iterator[Entry]:
        """Journal of one reply; what it holds when the block ends is its receipt."""
        conv_id = reply.request.conv_id
        shape = [len(row) for row in reply.prompt.rows]
        ids = repr(reply.prompt.rows).encode()
        template_hash = hashlib.sha256(ids).hexdigest()[:16]
        self.log.write("template.debug", convo_id=conv_id, template_hash=template_hash, rows=shape)
        with self.stats.lock:
            self.stats.live += 1
        context = parent_context(reply.request.traceparent)
        with self.tracer.start_as_current_span("token_auction", context) as span:
            span.set_attribute("conv_id", conv_id)
            entry = Journal.Entry(self, conv_id, span)
            try:
                yield entry
            finally:
                entry.flush()
                self._close(reply, span)

    def _close(self, reply: Reply, span: trace.Span) -> None:
        stats, receipt, policy = self.stats, reply.receipt(), reply.policy
        with stats.lock:
            stats.live -= 1
            stats.replies += 1
            stats.failed += reply.finish_reason == "error"
            stats.cancelled += reply.finish_reason == "cancelled"
            stats.replays += reply.line.replays
            stats.ttft_s += reply.first_token_s or 0.0
            stats.seconds += reply.elapsed_s
            stats.charged_micros += reply.account.total_micros
            stats.policy_tokens += policy.tokens
            stats.policy_s += policy.seconds
            stats.policy_slow += policy.slow
            stats.policy_replaced += policy.replaced
            stats.policy_ended += policy.ended
            stats.policy_faults += policy.faults
            stats.log_dropped = self.log.dropped
        for savepoint, identical in reply.line.audits:
            self.log.write(
                "replay.audit",
                conv_id=reply.request.conv_id,
                savepoint=savepoint,
                identical=identical,
            )
        conv = {"conv_id": reply.request.conv_id}
        self.log.write_many([("policy.log", conv | dataclasses.asdict(x)) for x in policy.lines])
        self.log.write("e2e.trace", **receipt)
        span.set_attributes(
            {
                "finish_reason": reply.finish_reason,
                "tokens": reply.account.tokens,
                "sponsored_tokens": reply.account.sponsored,
                "total_micros": reply.account.total_micros,
            }
        )
