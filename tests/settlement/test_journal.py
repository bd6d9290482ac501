# SPDX-License-Identifier: Apache-2.0
"""The reply loop's own records: one per delivered token, and bills that recompute."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from opentelemetry.trace import NoOpTracer
from tokenizers import Tokenizer

from bls.campaigns import load_campaigns
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.limits import LIMITS
from bls.reply.bids import Bids
from bls.reply.draw import DrawKey
from bls.reply.journal import Journal
from bls.reply.loop import TokenEvent, run_reply
from bls.reply.outcome import Outcome
from bls.reply.reply import Reply, ReplyServices, open_reply
from bls.reply.stats import ReplyStats
from bls.reply.watchdog import Watchdog
from bls.request import AuctionOptions, BidderRequest, Message, ReplyRequest
from bls.settlement.faults import Faults
from bls.settlement.ledger import Ledger
from bls.settlement.reader import Reader
from bls.settlement.recompute import settle
from bls.settlement.record import BIDS, RECEIPTS, VCG
from bls.settlement.replay import CSV, replay
from export.llm.tiny import ensure_tiny_llm
from kernels_cuda.auction import Auction, Draw
from tests.bls.preludes import plain

_BANK = 64


class BankDecoder:
    """A model that says random things fast: logits from a bank, auctioned by the kernel."""

    def __init__(self, auction: Auction, vocab: int, draw: DrawKey) -> None:
        rng = np.random.default_rng(draw.conv)
        self._bank = rng.normal(size=(_BANK, 3, vocab)).astype(np.float32) * 2
        self._auction = auction
        self._draw = draw

    def prefill(self, rows: tuple[tuple[int, ...], ...], bids: Bids) -> Outcome:
        return self.step(0, bids, 0)

    def step(self, token: int, bids: Bids, index: int) -> Outcome:
        draw = Draw(self._draw.seed, self._draw.conv, index) if self._draw.mode else None
        logits = self._bank[(token + index) % _BANK]
        got = self._auction.run(logits, bids.weights, 0.7, draw=draw, top=True)
        return Outcome.of(got, bids.weights)

    def reopen(self) -> None:
        raise AssertionError("nothing is lost here")

    def end(self) -> None:
        pass


class BookingSink:
    """Books every token as the server's sink does, and counts what a reader would get."""

    def __init__(self, entry: Journal.Entry) -> None:
        self._entry = entry
        self.delivered = 0

    def start(self, header: dict[str, object]) -> None:
        pass

    def token(self, event: TokenEvent) -> None:
        self._entry.token(event)
        self.delivered += 1

    def end(self, finish_reason: str, receipt: dict[str, object]) -> None:
        pass

    def cancelled(self) -> bool:
        return False


class Desk:
    """Serves replies without a server: the real loop, journal and ledger."""

    def __init__(self, folder: Path, services: ReplyServices, vocab: int) -> None:
        self.ledger = Ledger(folder, self._fault, LIMITS)
        self.log = JsonLog(folder, LIMITS.log_queue)
        self.stats = ReplyStats()
        self.journal = Journal(self.log, self.ledger, self.stats, NoOpTracer())
        self._watchdog = Watchdog()
        self._auction = Auction()
        self._services = services
        self._vocab = vocab

    def reply(self, number: int, tokens: int, options: AuctionOptions) -> int:
        """How many tokens were delivered."""
        request = ReplyRequest(
            request_id=f"req-{number}",
            conv_id="one-conversation",
            messages=(Message(role="user", content="hello"),),
            max_tokens=tokens,
            seed=number,
            auction=options,
        )
        draw = DrawKey.of(request)
        decoder = BankDecoder(self._auction, self._vocab, draw)
        prelude = plain(request, self._services)
        reply: Reply = open_reply(request, draw, self._services, decoder, prelude)
        with self.journal.reply(reply) as entry:
            sink = BookingSink(entry)
            run_reply(reply, sink, self._watchdog)
        return sink.delivered

    def close(self) -> None:
        self._watchdog.close()
        self.ledger.close()
        self.log.close()

    @staticmethod
    def _fault(fault: Exception) -> None:
        raise AssertionError(fault)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> ReplyServices:
    folder = ensure_tiny_llm(tmp_path_factory.mktemp("tiny"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return ReplyServices("tiny", frozenset(), tokenizer, load_campaigns())


@pytest.fixture
def desk(tmp_path: Path, services: ReplyServices) -> Iterator[Desk]:
    made = Desk(tmp_path, services, services.tokenizer.get_vocab_size())
    yield made
    made.close()


def options(**changes: object) -> AuctionOptions:
    bidders = tuple(
        BidderRequest(advertiser=f"adv_{i}", bid=1.0 + i / 2, ad_prompt=f"offer {i}")
        for i in range(2)
    )
    return AuctionOptions.model_validate({"bidders": bidders, **changes})


MODES: list[dict[str, object]] = [{}, {"mode": "sample"}, {"charge_rule": "critical_bid"}]


@pytest.mark.spec("AUC-I-02")
def test_a_record_for_every_token_of_twenty_thousand(tmp_path: Path, desk: Desk) -> None:
    """Through the reply loop, in all modes, many replies of one conversation."""
    delivered = sum(desk.reply(n, 200, options(**MODES[n % 3])) for n in range(100))
    desk.close()
    faults = Faults()
    reader = Reader(tmp_path, faults)
    counts = {stream: sum(1 for _ in reader.lines(stream)) for stream in (BIDS, VCG, RECEIPTS)}
    assert delivered == 20_000
    assert counts == {BIDS: delivered, VCG: delivered, RECEIPTS: 100}
    assert desk.ledger.lag == desk.ledger.lost == 0 and not faults.counts
    result = settle(tmp_path)
    assert result.ok and result.tokens == delivered and not result.faults.counts
    assert abs(result.total.difference_micros) <= 1e-4 * result.total.charged_micros
    audit = replay(tmp_path, tmp_path / CSV)
    assert audit.ok and audit.passed == delivered


def test_a_reply_ends_when_nothing_can_be_recorded(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail closed: no token is delivered that nobody can account for."""

    def stalled(record: object) -> None:
        raise SkynetError("ledger_stalled", "Charges cannot be recorded now.", 503)

    monkeypatch.setattr(desk.ledger, "put", stalled)
    with pytest.raises(SkynetError) as caught:
        desk.reply(1, 20, options())
    assert caught.value.code == "ledger_stalled"
    assert desk.stats.tokens == 0 and desk.stats.live == 0 and desk.stats.failed == 1


def test_booking_a_token_costs_little(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reply's thread only queues: encoding and disk are the ledger's."""
    taken: list[float] = []
    real: Callable[[Journal.Entry, TokenEvent], None] = Journal.Entry.token

    def timed(entry: Journal.Entry, event: TokenEvent) -> None:
        began = time.thread_time()
        real(entry, event)
        taken.append(time.thread_time() - began)

    monkeypatch.setattr(Journal.Entry, "token", timed)
    desk.reply(1, 200, options())
    assert np.median(taken) < 30e-6
