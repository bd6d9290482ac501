# SPDX-License-Identifier: Apache-2.0
"""What the journal writes of refused tokens: a line each, and a record of every token said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace

from bls.jsonlog import JsonLog
from bls.policy.filter import PolicyFilter
from bls.reply.journal import Journal
from bls.reply.loop import TokenEvent, run_reply
from bls.reply.reply import ReplyServices, open_reply
from bls.reply.stats import COUNTERS, ReplyStats
from bls.reply.watchdog import Watchdog
from bls.settlement.ledger import Ledger
from tests.bls.policy.scripted import Scripted, Step, say
from tests.bls.policy.test_reply_policy import AD, DRAW, Forced, classified, services
from tests.bls.preludes import plain
from tests.bls.test_reply_loop import ListSink, request

__all__ = ["services"]


class BookedSink(ListSink):
    """Books every token, as the server's sink does."""

    def __init__(self, entry: Journal.Entry) -> None:
        super().__init__()
        self.entry = entry

    def token(self, event: TokenEvent) -> None:
        self.entry.token(event)
        super().token(event)


@dataclass
class Office:
    """A journal in a folder of its own."""

    folder: Path
    journal: Journal

    def write(self, services: ReplyServices, policy: PolicyFilter, *steps: Step) -> None:
        ours = ReplyServices(
            services.model,
            services.eos_ids,
            services.tokenizer,
            services.campaigns,
            policy,
        )
        asked = request(max_tokens=len(steps), auction={"bidders": AD})
        decoder = Scripted(ours.tokenizer, steps)
        reply = open_reply(asked, DRAW, ours, decoder, plain(asked, ours))
        watchdog = Watchdog()
        with self.journal.reply(reply) as entry:
            run_reply(reply, BookedSink(entry), watchdog)
        watchdog.close()
        self.journal.log.close()
        self.journal.ledger.close()

    def lines(self, stream: str) -> list[dict[str, Any]]:
        file = self.folder / stream
        return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    faults: list[Exception] = []
    ledger, tracer = Ledger(tmp_path, faults.append), trace.get_tracer("test")
    yield Office(tmp_path, Journal(JsonLog(tmp_path, 64), ledger, ReplyStats(), tracer))
    assert not faults


@pytest.mark.spec("AUC-I-04")
def test_no_gap_in_the_records(office: Office, services: ReplyServices) -> None:
    steps = [*say("You| are"), Step(" rude", (" kind",)), *say("!")]
    office.write(services, classified(Forced((" rude",))), *steps)
    bids, prices = office.lines("auction.bids"), office.lines("auction.vcg")
    assert [line["token_idx"] for line in bids] == [0, 1, 2, 3]
    assert all(line["w_minus"] == [2.0, 0.5] for line in bids)
    assert [line["policy"] for line in prices] == [False, False, True, False]
    assert prices[2]["pay"] == [0.0, 0.0] and prices[1]["pay"] == [0.0, 0.3]
    (line,) = office.lines("auction.policy")
    assert line["conv_id"] == "c" and line["token_idx"] == 2 and line["reason"] == "classifier"
    assert line["replacement"] == prices[2]["token"] != line["blocked"]
    assert "rude" not in (office.folder / "auction.policy").read_text()


def test_a_reply_without_a_safe_token(office: Office, services: ReplyServices) -> None:
    office.write(services, classified(Forced((" rude",))), *say("You| are"), Step(" rude"))
    (line,) = office.lines("auction.policy")
    assert line["replacement"] is None
    (receipt,) = office.lines("e2e.trace")
    assert receipt["finish_reason"] == "content_filter" and receipt["completion_tokens"] == 2
    assert len(office.lines("auction.vcg")) == 2


def test_totals(office: Office, services: ReplyServices) -> None:
    steps = [Step(" rude", (" kind",)), *say("You"), Step(" rude")]
    office.write(services, classified(Forced((" rude",))), *steps)
    stats = office.journal.stats
    assert (stats.policy_tokens, stats.policy_replaced, stats.policy_ended) == (3, 1, 1)
    assert stats.policy_s > 0 and stats.policy_faults == 0
    series = {name for name in COUNTERS if name.startswith("auc_policy_")}
    assert len(series) == 6
    assert all(hasattr(stats, COUNTERS[name][0]) for name in series)
