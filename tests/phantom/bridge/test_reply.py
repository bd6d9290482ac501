# SPDX-License-Identifier: Apache-2.0
"""Whole replies of the tiny model: what their receipts say of the shop session, on every exit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import NoOpTracer

from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.limits import LIMITS
from bls.llm.engine import Engine
from bls.llm.session import LLMSession, SessionOptions
from bls.reply.draw import DrawKey
from bls.reply.journal import Journal
from bls.reply.live import LiveReplies
from bls.reply.loop import TokenEvent, run_reply
from bls.reply.reply import Reply, ReplyServices, open_reply
from bls.reply.stats import ReplyStats
from bls.reply.told import receipt
from bls.reply.watchdog import Watchdog
from bls.settlement.faults import Faults
from bls.settlement.ledger import Ledger
from bls.settlement.reader import Reader
from bls.settlement.recompute import Settlement, settle
from export.llm.tiny import ensure_tiny_llm
from tests.bls.engine_client import EngineClient
from tests.bls.preludes import plain
from tests.bls.test_reply_loop import ListSink, LocalDecoder, make_services, request

TEXTS = ("Say alpine rail is the fastest way to the mountains.", "zebra quux 9914 !!!")
ADS = [
    {"advertiser": f"adv_{n}", "bid": 8.0 + 8 * n, "ad_prompt": text}
    for n, text in enumerate(TEXTS)
]
PAYING: dict[str, Any] = {"auction": {"bidders": ADS}, "max_tokens": 40}
"""So different that somebody pays."""
AGENT = PAYING | {"session_id": "shop-1", "agent_probability": 0.97}
PERSON = PAYING | {"session_id": "shop-2", "agent_probability": 0.1}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> ReplyServices:
    return make_services(ensure_tiny_llm(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineClient]:
    folder = ensure_tiny_llm(tmp_path_factory.mktemp("tiny"))
    engine = Engine(LLMSession(folder, SessionOptions(threads=1, rows=LIMITS.kv_rows)))
    engine.start()
    yield EngineClient(engine)
    engine.stop()


class Desk:
    """A server's journal and live replies around the reply loop."""

    def __init__(self, folder: Path, services: ReplyServices, client: EngineClient) -> None:
        self.folder, self.services, self.client = folder, services, client
        self.stats, self.live = ReplyStats(), LiveReplies()
        self.reply: Reply
        self._log = JsonLog(folder, 64)
        self.ledger = Ledger(folder, lambda fault: None)
        self.journal = Journal(self._log, self.ledger, self.stats, NoOpTracer())

    def run(self, sink: ListSink, fail_at: tuple[int, ...] = (), **changes: Any) -> Reply:
        asked = request(**changes)
        decoder = LocalDecoder(self.client, fail_at)
        draw = DrawKey.of(asked)
        reply = open_reply(asked, draw, self.services, decoder, plain(asked, self.services))
        sink.gone, self.reply = reply.leave, reply
        watchdog = Watchdog()
        live = self.live.holding(asked.conv_id, reply.bidder, reply.score)
        try:
            with live, self.journal.reply(reply) as entry:
                run_reply(reply, _Booked(sink, entry), watchdog)
        finally:
            watchdog.close()
        return reply

    def close(self) -> None:
        self.ledger.close()
        self._log.close()

    def settled(self) -> Settlement:
        """After which nothing more is written."""
        self.close()
        return settle(self.folder)

    def receipts(self) -> list[dict[str, Any]]:
        return list(Reader(self.folder, Faults()).receipts().values())


class _Booked:
    """A sink behind the journal, as the server's."""

    def __init__(self, sink: ListSink, entry: Journal.Entry) -> None:
        self._sink, self._entry = sink, entry
        self.start, self.end, self.cancelled = sink.start, sink.end, sink.cancelled

    def token(self, event: TokenEvent) -> None:
        self._entry.token(event)
        self._sink.token(event)


@pytest.fixture
def desk(tmp_path: Path, services: ReplyServices, client: EngineClient) -> Desk:
    return Desk(tmp_path, services, client)


@pytest.mark.spec("PH-12", "PH-13")
def test_a_receipt_of_invalid_traffic_end_to_end(desk: Desk) -> None:
    sink = ListSink()
    desk.run(sink, **AGENT)
    assert sink.header["traffic"] == {"invalid_at": 0.95}
    ((_, receipt),) = sink.ends
    charged = [line["charge_micros"] for line in receipt["lines"]]  # type: ignore[attr-defined]
    assert sum(charged) == receipt["total_micros"] == receipt["refunded_micros"]
    assert sum(charged) > 0 and receipt["net_micros"] == 0
    assert receipt["refunds"] == [
        {"row": row, "refund_micros": micros} for row, micros in enumerate(charged, 1) if micros
    ]
    assert receipt["traffic"] == {
        "agent_probability": 0.97,
        "valid": False,
        "rule": "agent_probability>=0.95",
        "discounted": [],
        "fixed": [1, 2],
    }
    assert desk.stats.refunded_micros == desk.stats.charged_micros == sum(charged)
    assert desk.stats.invalid == 1
    result = desk.settled()
    assert result.ok and result.total.difference_micros == 0
    assert result.total.charged_micros == result.total.refunded_micros == sum(charged)
    assert result.total.net_micros == 0 and not result.faults.counts


@pytest.mark.spec("PH-14")
@pytest.mark.parametrize(
    ("session", "score"),
    [(PERSON, 0.1), (PAYING | {"session_id": "shop-9"}, None)],
    ids=["person", "new"],
)
def test_a_session_that_may_be_a_person_pays(
    desk: Desk, session: dict[str, Any], score: float | None
) -> None:
    sink = ListSink()
    reply = desk.run(sink, **session)
    ((_, receipt),) = sink.ends
    assert receipt["net_micros"] == receipt["total_micros"] == sum(reply.account.charges) > 0
    assert receipt["refunds"] == [] and receipt["refunded_micros"] == 0
    traffic = receipt["traffic"]
    assert isinstance(traffic, dict)
    assert (traffic["agent_probability"], traffic["valid"], traffic["rule"]) == (score, True, "")
    assert desk.settled().ok


def test_without_a_session_a_receipt_is_as_before(desk: Desk) -> None:
    sink = ListSink()
    desk.run(sink, **PAYING)
    ((_, receipt),) = sink.ends
    assert not {"traffic", "refunds", "refunded_micros", "net_micros"} & receipt.keys()
    assert "traffic" not in sink.header
    assert desk.settled().total.refunded_micros == 0


@pytest.mark.spec("PH-13")
@pytest.mark.parametrize("exit_", ["cancelled", "error", "deadline", "stop"])
def test_every_exit_refunds_what_was_charged(desk: Desk, exit_: str) -> None:
    if exit_ == "cancelled":
        desk.run(ListSink(cancel_after=25), **AGENT)
    elif exit_ == "error":  # the worker dies, is replayed, and dies again
        with pytest.raises(SkynetError):
            desk.run(ListSink(), fail_at=tuple(range(25, 80)), **AGENT)
    elif exit_ == "deadline":
        desk.run(_Watching(_late_abort(desk)), **AGENT)
    else:
        text = "".join(event.text for event in _tokens(desk))
        desk.run(ListSink(), **AGENT, request_id="r2", stop=[_late(text)])
    desk.ledger.close()
    receipt = desk.receipts()[-1]
    assert receipt["finish_reason"] == exit_
    assert receipt["traffic"]["valid"] is False and receipt["completion_tokens"] > 0
    assert receipt["refunded_micros"] == receipt["total_micros"] > 0 == receipt["net_micros"]
    result = desk.settled()
    assert result.ok and result.total.net_micros == 0


def test_a_lost_worker_that_is_replayed_is_refunded_once(desk: Desk) -> None:
    reply = desk.run(ListSink(), fail_at=(4,), **AGENT)
    assert reply.line.replays == 1
    result = desk.settled()
    assert result.receipts == 1 and result.total.refunded_micros == sum(reply.account.charges)


@pytest.mark.spec("PH-12")
def test_what_counts_is_the_score_at_the_end(desk: Desk) -> None:
    """It rises while the reply is written, and what comes after the end changes nothing."""

    def rise(index: int) -> None:
        if index == 5:
            assert desk.live.rescore("c", 0.99) == 6

    reply = desk.run(_Watching(rise), **PERSON)
    assert not reply.ruling.valid and reply.net == [0, 0]
    reply.score.value = 0.0
    assert receipt(reply)["net_micros"] == 0
    with pytest.raises(SkynetError, match="No such reply"):
        desk.live.rescore("c", 0.5)
    desk.close()


def test_a_score_that_falls_is_believed_too(desk: Desk) -> None:
    reply = desk.run(_Watching(lambda index: desk.live.rescore("c", 0.2) and None), **AGENT)
    assert reply.ruling.valid and reply.net == reply.account.charges
    desk.close()


class _Watching(ListSink):
    """Calls `seen` with the number of each token."""

    def __init__(self, seen: Any) -> None:
        super().__init__()
        self._seen = seen

    def token(self, event: TokenEvent) -> None:
        super().token(event)
        self._seen(event.index)


def _late_abort(desk: Desk) -> Callable[[int], None]:
    """What the watchdog does at the deadline, at token 30."""

    def look(index: int) -> None:
        if index == 30:
            desk.reply.abort("deadline")

    return look


def _late(text: str) -> str:
    """Six characters that come for the first time in the second half."""
    return next(
        text[at : at + 6]
        for at in range(len(text) // 2, len(text) - 6)
        if text.index(text[at : at + 6]) == at
    )


def _tokens(desk: Desk) -> list[TokenEvent]:
    """What the same reply says when nothing stops it."""
    sink = ListSink()
    desk.run(sink, **AGENT)
    return sink.tokens
