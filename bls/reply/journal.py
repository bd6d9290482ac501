# SPDX-License-Identifier: Apache-2.0
"""What is written down of every reply: billing records, JSONL streams, running totals, one trace.

Billing, through the ledger, which loses nothing: `auction.bids` and `auction.vcg` (a line per
token), `e2e.trace` (the receipt of every reply, also of cancelled and failed ones). Through the
log, which may drop: `auction.policy` (a line per refused token), and for people `template.debug` (a
line per reply) and `replay.audit` (a line per rebuilt KV cache).
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry import trace

from bls.jsonlog import JsonLog
from bls.policy.reply import STREAM as REFUSED
from bls.reply.loop import TokenEvent
from bls.reply.reply import Reply
from bls.reply.stats import ReplyStats
from bls.reply.told import receipt
from bls.settlement.ledger import Ledger
from bls.settlement.record import VERSION, Head, ReceiptRecord, TokenRecord
from bls.tracing import parent_context


@dataclass
class Journal:
    """One per process. `reply` wraps the writing of one reply."""

    log: JsonLog
    ledger: Ledger
    stats: ReplyStats
    tracer: trace.Tracer

    @dataclass
    class Entry:
        """Books the tokens of one reply."""

        journal: Journal
        head: Head
        span: trace.Span

        def token(self, event: TokenEvent) -> None:
            """Book a token before it is delivered. Raises `ledger_stalled`."""
            outcome, stats, ledger = event.outcome, self.journal.stats, self.journal.ledger
            ledger.put(TokenRecord(self.head, time.time(), event.index, event.weights, outcome))
            with stats.lock:
                stats.tokens += 1
                stats.sponsored += outcome.sponsored
                stats.log_lag = ledger.lag
            if event.index == 0:
                self.span.add_event("first_token")

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
            stages = reply.prelude.seconds.items()
            span.set_attributes({f"prelude.{name}_ms": round(1e3 * s, 3) for name, s in stages})
            try:
                yield Journal.Entry(self, head(reply), span)
            finally:
                self._close(reply, span)

    def _close(self, reply: Reply, span: trace.Span) -> None:
        stats, told, policy = self.stats, receipt(reply), reply.policy
        with stats.lock:
            stats.live -= 1
            stats.replies += 1
            stats.failed += reply.finish_reason == "error"
            stats.cancelled += reply.finish_reason == "cancelled"
            stats.replays += reply.line.replays
            stats.ttft_s += reply.first_token_s or 0.0
            stats.seconds += reply.elapsed_s
            stats.charged_micros += reply.account.total_micros
            stats.refunded_micros += sum(reply.refunds)
            stats.invalid += not reply.ruling.valid
            stats.policy_tokens += policy.tokens
            stats.policy_s += policy.seconds
            stats.policy_slow += policy.slow
            stats.policy_replaced += policy.replaced
            stats.policy_ended += policy.ended
            stats.policy_faults += policy.faults
            stats.log_dropped = self.log.dropped
            stats.records_lost = self.ledger.lost
        for savepoint, identical in reply.line.audits:
            self.log.write(
                "replay.audit",
                conv_id=reply.request.conv_id,
                savepoint=savepoint,
                identical=identical,
            )
        request = reply.request
        key = {"v": VERSION, "conv_id": request.conv_id, "request_id": request.request_id}
        self.log.write_many([(REFUSED, key | dataclasses.asdict(x)) for x in policy.lines])
        span.set_attributes(
            {
                "finish_reason": reply.finish_reason,
                "tokens": reply.account.tokens,
                "sponsored_tokens": reply.account.sponsored,
                "total_micros": reply.account.total_micros,
            }
        )
        self.ledger.put(ReceiptRecord(time.time(), told))


def head(reply: Reply) -> Head:
    """What every token record of this reply says."""
    return Head(
        conv_id=reply.request.conv_id,
        request_id=reply.request.request_id,
        advertisers=tuple(seat.advertiser for seat in reply.seats),
        mode=reply.request.auction.mode,
        seed=reply.draw.seed,
        conv=reply.draw.conv,
        temperature=reply.request.temperature,
        charge_rule=reply.account.rule,
        micros_per_weight=reply.account.micros_per_weight,
    )
