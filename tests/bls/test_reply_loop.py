# SPDX-License-Identifier: Apache-2.0
"""The reply loop over the tiny model and the real auction kernel, in one process.

Every exit frees the conversation: end of text, length, stop string, deadline, cancellation,
error. A lost worker is replayed bit for bit.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from bls.campaigns import load_campaigns
from bls.contracts import Mode
from bls.errors import SkynetError, internal
from bls.limits import LIMITS
from bls.llm.engine import Engine
from bls.llm.session import LLMSession, SessionOptions
from bls.reply.bids import Bids
from bls.reply.draw import DrawKey
from bls.reply.loop import TokenEvent, run_reply
from bls.reply.outcome import Outcome
from bls.reply.reply import Reply, ReplyServices, open_reply
from bls.reply.told import receipt
from bls.reply.watchdog import Watchdog
from bls.request import ReplyRequest
from export.llm.tiny import ensure_tiny_llm
from kernels_cuda.auction import Auction, Draw
from tests.bls.engine_client import EngineClient
from tests.bls.preludes import plain

ARGMAX = DrawKey(Mode.ARGMAX, 0, 0)


class LocalDecoder:
    """`Decoder` on an in-process engine; `fail_at` breaks the worker before those steps."""

    def __init__(
        self, client: EngineClient, fail_at: tuple[int, ...] = (), draw: DrawKey = ARGMAX
    ) -> None:
        self.client = client
        self.draw = draw
        self.auction = Auction()
        self.calls = self.ended = 0
        self.fail_at = set(fail_at)

    def prefill(self, rows: tuple[tuple[int, ...], ...], bids: Bids) -> Outcome:
        logits = self.client.prefill(1, rows)
        return self._decide(logits, bids, 0)

    def step(self, token: int, bids: Bids, index: int) -> Outcome:
        self.calls += 1
        if self.calls in self.fail_at:
            self.client.end(1)  # the worker and its KV cache are gone
            raise internal()
        logits = self.client.step(1, len(bids.weights), token)
        return self._decide(logits, bids, index)

    def reopen(self) -> None:
        self.client.end(1)

    def end(self) -> None:
        self.ended += 1
        self.client.end(1)

    def _decide(self, logits: np.ndarray, bids: Bids, index: int) -> Outcome:
        draw = Draw(self.draw.seed, self.draw.conv, index) if self.draw.mode else None
        result = self.auction.run(logits, bids.weights, 0.7, draw=draw, top=True)
        return Outcome.of(result, bids.weights)


class ListSink:
    """Remembers events; `cancel_after` tokens the reader is gone."""

    def __init__(self, cancel_after: int | None = None) -> None:
        self.header: dict[str, object] = {}
        self.tokens: list[TokenEvent] = []
        self.ends: list[tuple[str, dict[str, object]]] = []
        self.cancel_after = cancel_after
        self.gone: Callable[[], None] = lambda: None

    def start(self, header: dict[str, object]) -> None:
        self.header = header

    def token(self, event: TokenEvent) -> None:
        self.tokens.append(event)
        if self.cancelled():
            self.gone()

    def end(self, finish_reason: str, receipt: dict[str, object]) -> None:
        self.ends.append((finish_reason, receipt))

    def cancelled(self) -> bool:
        return self.cancel_after is not None and len(self.tokens) >= self.cancel_after


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineClient]:
    folder = ensure_tiny_llm(tmp_path_factory.mktemp("tiny"))
    engine = Engine(LLMSession(folder, SessionOptions(threads=2, rows=LIMITS.kv_rows)))
    engine.start()
    yield EngineClient(engine)
    engine.stop()


@pytest.fixture(scope="module")
def services(client: EngineClient, tmp_path_factory: pytest.TempPathFactory) -> ReplyServices:
    return make_services(ensure_tiny_llm(tmp_path_factory.mktemp("tiny")))


def make_services(folder: Path, eos: frozenset[int] = frozenset()) -> ReplyServices:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return ReplyServices("tiny", eos, tokenizer, load_campaigns())


def request(**changes: Any) -> ReplyRequest:
    ads = [{"advertiser": f"adv_{i}", "bid": 2.0, "ad_prompt": f"offer {i}"} for i in range(2)]
    base = {
        "request_id": "r",
        "conv_id": "c",
        "messages": [{"role": "user", "content": "hello there"}],
        "max_tokens": 17,
        "auction": {"bidders": ads},
    }
    return ReplyRequest.model_validate_json(json.dumps(base | changes))


def run(services: ReplyServices, decoder: LocalDecoder, sink: ListSink, **changes: Any) -> Reply:
    asked = request(**changes)
    reply = open_reply(asked, decoder.draw, services, decoder, plain(asked, services))
    sink.gone = reply.leave
    watchdog = Watchdog()
    try:
        run_reply(reply, sink, watchdog)
    finally:
        watchdog.close()
    return reply


def free(client: EngineClient) -> bool:
    return client.engine.stats.rows_in_use == 0


def test_a_reply_of_given_length(client: EngineClient, services: ReplyServices) -> None:
    sink = ListSink()
    reply = run(services, LocalDecoder(client), sink)
    assert [event.index for event in sink.tokens] == list(range(17))
    assert sink.header["rows"] == ["reference", "adv_0", "adv_1"]
    ((reason, receipt),) = sink.ends
    assert reason == "length" and receipt["completion_tokens"] == 17
    booked = sum(event.charges.sum() for event in sink.tokens)
    assert receipt["total_micros"] == pytest.approx(booked * 1_000, abs=1)
    assert reply.finish_reason == "length"
    assert free(client)


def test_end_of_text_and_stop_string(client: EngineClient, services: ReplyServices) -> None:
    whole = ListSink()
    run(services, LocalDecoder(client), whole)
    third = whole.tokens[2].outcome.token
    first_seen = [e.outcome.token for e in whole.tokens].index(third)
    ended = ListSink()
    eos = ReplyServices("tiny", frozenset({third}), services.tokenizer, services.campaigns)
    run(eos, LocalDecoder(client), ended)
    assert ended.ends[0][0] == "stop"
    assert len(ended.tokens) == first_seen + 1
    text = "".join(event.text for event in whole.tokens)
    stop = text[4:7]
    stopped = ListSink()
    run(services, LocalDecoder(client), stopped, stop=[stop])
    assert stopped.ends[0][0] == "stop"
    assert "".join(e.text for e in stopped.tokens) == text[: text.index(stop)]
    assert free(client)


def test_cancellation_within_one_token(client: EngineClient, services: ReplyServices) -> None:
    sink = ListSink(cancel_after=4)
    decoder = LocalDecoder(client)
    reply = run(services, decoder, sink)
    assert len(sink.tokens) == 4
    assert decoder.calls <= 4
    assert not sink.ends and reply.finish_reason == "cancelled"
    assert receipt(reply)["completion_tokens"] == 4
    assert decoder.ended >= 1 and free(client)


def test_deadline_after_some_tokens(client: EngineClient, services: ReplyServices) -> None:
    class Slow(LocalDecoder):
        def step(self, token: int, bids: Bids, index: int) -> Outcome:
            time.sleep(0.05)
            return super().step(token, bids, index)

    sink = ListSink()
    run(services, Slow(client), sink, deadline_ms=300)
    assert sink.ends[0][0] == "deadline"
    assert 0 < len(sink.tokens) < 17
    assert free(client)


class Stuck(LocalDecoder):
    """Its prompt is never ready; ending it frees the caller."""

    def __init__(self, client: EngineClient) -> None:
        super().__init__(client)
        self.over = threading.Event()

    def prefill(self, rows: object, bids: Bids) -> Outcome:
        assert self.over.wait(5)
        raise SkynetError("cancelled", "The reply was ended.", 499)

    def end(self) -> None:
        super().end()
        self.over.set()


def test_deadline_before_any_token(client: EngineClient, services: ReplyServices) -> None:
    decoder = Stuck(client)
    with pytest.raises(SkynetError) as caught:
        run(services, decoder, ListSink(), deadline_ms=50)
    assert (caught.value.code, caught.value.status) == ("deadline_exceeded", 504)
    assert decoder.ended >= 1


def test_reader_gone_before_the_first_token(client: EngineClient, services: ReplyServices) -> None:
    sink = ListSink(cancel_after=0)
    reply = run(services, Stuck(client), sink)
    assert reply.finish_reason == "cancelled" and not sink.ends and free(client)


@pytest.mark.spec("CG-I-05")
@pytest.mark.parametrize("fail_at", [(1,), (4,), (5,), (13,), (3, 19)])
def test_lost_worker_is_replayed_exactly(
    client: EngineClient, services: ReplyServices, fail_at: tuple[int, ...]
) -> None:
    calm, shaken = ListSink(), ListSink()
    run(services, LocalDecoder(client), calm)
    reply = run(services, LocalDecoder(client, fail_at), shaken)
    assert reply.line.replays == len(fail_at)
    assert len(reply.line.audits) == len(fail_at)
    assert all(identical for _, identical in reply.line.audits)
    for a, b in zip(calm.tokens, shaken.tokens, strict=True):
        assert a.outcome.same_as(b.outcome)
        assert a.text == b.text
    assert calm.ends[0][1]["lines"] == shaken.ends[0][1]["lines"]
    assert free(client)


def sampled(seed: int) -> DrawKey:
    return DrawKey.of(request(seed=seed, auction={"mode": "sample"}))


def tokens(sink: ListSink) -> list[int]:
    return [event.outcome.token for event in sink.tokens]


def test_a_drawn_reply_can_be_drawn_again(client: EngineClient, services: ReplyServices) -> None:
    """The same seed and conversation give the same reply; another seed another one."""
    first, again, other, lost = (ListSink() for _ in range(4))
    run(services, LocalDecoder(client, draw=sampled(1)), first)
    run(services, LocalDecoder(client, draw=sampled(1)), again)
    run(services, LocalDecoder(client, draw=sampled(2)), other)
    run(services, LocalDecoder(client, (3, 9), draw=sampled(1)), lost)
    assert tokens(first) == tokens(again) == tokens(lost) != tokens(other)
    for a, b in zip(first.tokens, lost.tokens, strict=True):
        assert a.outcome.same_as(b.outcome)
    assert free(client)


def test_a_seed_is_drawn_and_reported_where_none_is_given() -> None:
    drawn = [DrawKey.of(request(auction={"mode": "sample"})) for _ in range(2)]
    assert drawn[0].seed != drawn[1].seed and drawn[0].conv == drawn[1].conv
    assert DrawKey.of(request()).seed == 0


def test_a_worker_that_keeps_dying_is_an_error(
    client: EngineClient, services: ReplyServices
) -> None:
    decoder = LocalDecoder(client, tuple(range(1, 100)))
    sink = ListSink()
    with pytest.raises(SkynetError) as caught:
        run(services, decoder, sink)
    assert caught.value.code == "internal"
    assert not sink.ends and free(client)


def test_no_bidder_means_no_ads(client: EngineClient, services: ReplyServices) -> None:
    sink = ListSink()
    run(services, LocalDecoder(client), sink, auction={})
    assert sink.header["rows"] == ["reference"]
    receipt = sink.ends[0][1]
    assert receipt["total_micros"] == 0 and receipt["disclosure"] is None
    assert not any(event.outcome.sponsored for event in sink.tokens)


def test_savepoints_every_five_tokens(client: EngineClient, services: ReplyServices) -> None:
    reply = run(services, LocalDecoder(client), ListSink())
    assert set(reply.line.savepoints) == {15}
    assert LIMITS.snapshot_every == 5
