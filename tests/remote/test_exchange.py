# SPDX-License-Identifier: Apache-2.0
"""Rows of remote bidders join the local ones: in time, or left out of the token and counted."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from bls.contracts import PAD, REMOTE
from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.llm.jobs import Away, Prefill
from bls.remote.chunk import Fault
from bls.remote.exchange import split_rows
from bls.remote.remote_bidder_pb2 import Full, LogitChunk, Open, TopK
from tests.remote.fake_worker import OURS, PROMPT, Client, V, bidder
from tests.remote.rig import Rig, absent
from tests.remote.scripted_bidder import (
    Act,
    Hang,
    Leave,
    Quit,
    ScriptedBidder,
    Sleep,
    insist,
    silent,
    top,
    until,
)

LATE_S = 0.12
"""Longer than the deadline of a test's bidder, 60 ms."""


@pytest.fixture
def far() -> Iterator[ScriptedBidder]:
    with ScriptedBidder() as scripted:
        yield scripted


# -- a bidder that works -----------------------------------------------------------------------


def test_what_a_bidder_is_told(far: ScriptedBidder) -> None:
    far.script = insist(7)
    with Rig(bidder("a", far.target, deadline_ms=150, top_k=5)) as rig:
        rows = rig.reply(3)
        until(lambda: far.closes == 1)
    (opening,) = far.opens
    assert tuple(opening.prompt) == PROMPT
    assert opening.vocabulary == OURS.sha256 and opening.vocabulary_size == V
    assert (opening.deadline_ms, opening.top_k) == (150, 5)
    assert far.tokens == [(1, 41), (2, 42)]
    assert [row[7] for row in rows] == [30.0] * 3
    assert all(row[np.arange(V) != 7].tolist() == [0.0] * (V - 1) for row in rows)
    assert rig.stats.chunks.of() == 3 and not rig.stats.left_out
    assert 0 < rig.stats.answer_s.of() < 3


def test_a_streams_number_says_nothing_about_the_reply(far: ScriptedBidder) -> None:
    far.script = insist(7)
    with Rig(bidder("a", far.target)) as rig:
        for conv in (1, 1, 2):
            rig.reply(1, conv=conv)
    numbers = {opening.conversation for opening in far.opens}
    assert len(numbers) == 3 and not numbers & {1, 2}


def test_the_worker_never_hears_of_remote_rows(far: ScriptedBidder) -> None:
    far.script = insist(7)
    with Rig(bidder("a", far.target)) as rig:
        both = rig.client.prefill(1, 0, local=2)
        rig.client.step(1, 3, 9)
        prefill = rig.worker.jobs[0]
        assert isinstance(prefill, Prefill) and prefill.rows == (PROMPT, PROMPT)
        assert [step.rows for step in rig.worker.steps] == [2]
        assert both[:2, 0].tolist() == [1.0, 2.0] and both[2, 7] == 30.0
        rig.client.end(1)


def test_full_logits_arrive_whole(far: ScriptedBidder) -> None:
    values = np.linspace(-5, 5, V, dtype=np.float32)

    def everything(opening: Open, index: int) -> list[Act]:
        full = Full(type=Full.F32, values=values.tobytes())
        return [LogitChunk(index=index, vocabulary=opening.vocabulary, full=full)]

    far.script = everything
    with Rig(bidder("a", far.target, top_k=0)) as rig:
        assert rig.reply(2)[1].tolist() == values.tolist()


def test_a_conversation_without_remote_rows_passes_through() -> None:
    with Rig() as rig:
        assert rig.client.prefill(1, local=3).shape == (3, V)
        assert rig.client.step(1, 3, 9).shape == (3, V)
        rig.client.end(1)
    assert not [t for t in threading.enumerate() if t.name == "remote-bidders"]


def test_the_last_rows_once_more(far: ScriptedBidder) -> None:
    """Both kinds of conversation; only the last token's, and no bidder hears of it."""
    far.script = insist(7)
    with Rig(bidder("a", far.target)) as rig:
        plain = rig.client.prefill(1, local=2)
        assert np.array_equal(rig.client.again(1, 0), plain)
        rig.client.prefill(2, 0)
        joined = rig.client.step(2, 2, 41)
        assert np.array_equal(rig.client.again(2, 1), joined)
        with pytest.raises(SkynetError) as caught:
            rig.client.again(2, 0)
        assert caught.value.code == "not_the_last_token"
        assert far.tokens == [(1, 41)]
        rig.worker.delay_s = 0.05
        answers: list[NDArray[np.float32]] = []
        for ask in (
            lambda answer: rig.exchange.step(2, 2, 42, answer),
            lambda answer: rig.exchange.again(2, 2, answer),
        ):
            ask(lambda rows: answers.append(rows.copy()))
        until(lambda: len(answers) == 2)
        assert np.array_equal(answers[0], answers[1])
        rig.client.end(1)
        rig.client.end(2)


# -- time ----------------------------------------------------------------------------------------


def test_a_token_waits_for_its_bidder_until_the_deadline(far: ScriptedBidder) -> None:
    far.script = lambda opening, index: [Sleep(0.05), top(opening, index, {7: 1.0})]
    with Rig(bidder("a", far.target, deadline_ms=500)) as rig:
        assert not absent(rig.client.prefill(1, 0)[1])
        assert 0.05 <= rig.client.seconds < 0.4
        rig.client.end(1)
        assert rig.stats.waits == 1 and 0.03 < rig.stats.wait_s < 0.4
    assert not rig.stats.left_out


def test_and_no_longer(far: ScriptedBidder) -> None:
    far.script = silent
    with Rig(bidder("a", far.target, deadline_ms=80)) as rig:
        assert absent(rig.client.prefill(1, 0)[1])
        assert 0.07 < rig.client.seconds < 0.2
        assert rig.left_out() == {"deadline": 1}
        rig.client.end(1)


def test_a_chunk_that_is_there_before_the_local_rows_is_never_late(far: ScriptedBidder) -> None:
    """It held nobody up, whatever its deadline says."""
    far.script = lambda opening, index: [Sleep(0.05), top(opening, index, {7: 1.0})]
    with Rig(bidder("a", far.target, deadline_ms=1)) as rig:
        rig.worker.delay_s = 0.3
        assert not absent(rig.reply(1)[0])


def test_late_chunks_are_dropped_and_counted(far: ScriptedBidder) -> None:
    """The answer to token 0 comes while token 1 is open; it is not taken for token 1's."""

    def script(opening: Open, index: int) -> list[Act]:
        if index == 0:
            return [Sleep(LATE_S), top(opening, 0, {5: 1.0})]
        return [top(opening, index, {6: 1.0})]

    far.script = script
    with Rig(bidder("a", far.target, deadline_ms=60)) as rig:
        first = rig.client.prefill(1, 0)[1]
        rig.worker.delay_s = 0.3
        second = rig.client.step(1, 2, 9)[1]
        rig.client.end(1)
    assert absent(first)
    assert second[6] == 1.0 and second[5] == 0.0
    assert rig.stats.late.of() == 1 and rig.left_out() == {"deadline": 1}
    assert not rig.stats.malformed


def test_a_bidder_that_never_answers_is_soon_not_waited_for(far: ScriptedBidder) -> None:
    with Rig(bidder("a", far.target, deadline_ms=80)) as rig:
        began = time.monotonic()
        assert all(absent(row) for row in rig.reply(20))
        seconds = time.monotonic() - began
        assert LIMITS.remote_misses * 0.08 <= seconds < LIMITS.remote_misses * 0.08 + 0.3
        assert rig.left_out() == {"deadline": 20}
        before = len(far.opens)
        rig.reply(3, conv=2)
        assert len(far.opens) == before, "the next reply does not dial it"
        assert rig.left_out() == {"deadline": 20, "unavailable": 3}


def test_a_bidder_that_recovers_is_waited_for_again(far: ScriptedBidder) -> None:
    """Silent for some tokens, then as fast as it promised; not as fast as the local rows."""

    def script(opening: Open, index: int) -> list[Act]:
        return [Sleep(0.03), top(opening, index, {7: 1.0})] if index > 4 else []

    far.script = script
    with Rig(bidder("a", far.target, deadline_ms=100)) as rig:
        rows = [rig.client.prefill(1, 0)[1]]
        for _ in range(14):
            time.sleep(0.04)  # what a token takes elsewhere
            rows.append(rig.client.step(1, 2, 9)[1])
        rig.client.end(1)
    there = [not absent(row) for row in rows]
    assert there[:5] == [False] * 5
    assert there[-6:] == [True] * 6, there


def test_a_slow_bidder_does_not_slow_another_reply(far: ScriptedBidder) -> None:
    far.script = silent
    with Rig(bidder("a", far.target, deadline_ms=1_000)) as rig:
        waiting = threading.Thread(target=rig.client.prefill, args=(1, 0))
        waiting.start()
        other = Client(rig.exchange)
        time.sleep(0.05)
        for _ in range(20):
            other.prefill(2, local=2)
            assert other.seconds < 0.2
            other.end(2)
        assert waiting.is_alive()
        waiting.join(5)
        rig.client.end(1)


def test_the_worker_is_told_which_conversation_waits(far: ScriptedBidder) -> None:
    """So that no decode batch is held for it; one that does not wait is not away."""
    far.script = lambda opening, index: [Sleep(0.1 * index), top(opening, index, {7: 1.0})]
    with Rig(bidder("a", far.target, deadline_ms=900)) as rig:
        rig.worker.delay_s = 0.05
        rig.client.prefill(4, 0)
        assert not [job for job in rig.worker.jobs if isinstance(job, Away)]
        rig.client.step(4, 2, 9)
        assert [job.conv for job in rig.worker.jobs if isinstance(job, Away)] == [4]
        rig.client.end(4)


def test_each_bidder_has_its_own_deadline(far: ScriptedBidder) -> None:
    far.script = insist(7)
    with (
        ScriptedBidder(lambda opening, index: [Sleep(0.15), top(opening, index, {8: 1})]) as slow,
        ScriptedBidder() as mute,
        Rig(
            bidder("a", far.target),
            bidder("b", slow.target, deadline_ms=900),
            bidder("c", mute.target, deadline_ms=20),
        ) as rig,
    ):
        rows = rig.client.prefill(1, 0, 1, 2)
        assert rows[1, 7] == 30.0 and rows[2, 8] == 1.0 and absent(rows[3])
        assert 0.1 < rig.client.seconds < 0.6
        rig.client.end(1)
    assert rig.left_out("c") == {"deadline": 1} and not rig.left_out("b")


# -- nonsense ------------------------------------------------------------------------------------


def other_hash(opening: Open, index: int) -> list[Act]:
    return [LogitChunk(index=index, vocabulary=bytes(32), top_k=TopK(id=[1], logit=[1]))]


NONSENSE = {
    Fault.ENCODING: lambda opening, index: [b"\xff\xff"],
    Fault.VOCABULARY: other_hash,
    Fault.SIZE: lambda opening, index: [top(opening, index, dict.fromkeys(range(V), 1.0))],
    Fault.ID: lambda opening, index: [top(opening, index, {V: 1.0})],
    Fault.NOT_FINITE: lambda opening, index: [top(opening, index, {1: float("nan")})],
    Fault.ORDER: lambda opening, index: [top(opening, index + 1, {1: 1.0})],
    Fault.DUPLICATE: lambda opening, index: [
        LogitChunk(index=index, vocabulary=opening.vocabulary, top_k=TopK(id=[1, 1], logit=[1, 1]))
    ],
}


@pytest.mark.parametrize("fault", NONSENSE)
def test_malformed_chunks_are_left_out_and_counted(far: ScriptedBidder, fault: Fault) -> None:
    """The token does not wait once the chunk is refused; after a few the bidder is out."""
    far.script = NONSENSE[fault]
    with Rig(bidder("a", far.target, deadline_ms=1_000, top_k=V - 1)) as rig:
        began = time.monotonic()
        assert all(absent(row) for row in rig.reply(8))
        assert time.monotonic() - began < 0.9
        assert rig.faults() == {fault: LIMITS.remote_faults}
        assert rig.left_out() == {
            "malformed": LIMITS.remote_faults,
            "unavailable": 8 - LIMITS.remote_faults,
        }
        assert rig.stats.unavailable.of() == 1
        until(lambda: far.live == 0)


def test_one_bad_chunk_costs_one_token(far: ScriptedBidder) -> None:
    def script(opening: Open, index: int) -> list[Act]:
        good = [top(opening, index, {7: 1.0})]
        return [b"\xff\xff"] if index == 2 else good

    far.script = script
    with Rig(bidder("a", far.target)) as rig:
        rows = rig.reply(6)
    assert [absent(row) for row in rows] == [False, False, True, False, False, False]
    assert rig.left_out() == {"malformed": 1}


def test_an_oversized_message_breaks_the_stream(far: ScriptedBidder) -> None:
    far.script = lambda opening, index: [bytes(100_000)]
    with Rig(bidder("a", far.target, top_k=4)) as rig:
        assert all(absent(row) for row in rig.reply(4))
        assert rig.faults() == {Fault.TOO_LARGE: 1}
        assert rig.stats.unavailable.of() == 1


def test_two_answers_to_one_token_are_one_too_many(far: ScriptedBidder) -> None:
    far.script = lambda opening, index: [top(opening, index, {7: 1.0}), top(opening, index, {8: 1})]
    with Rig(bidder("a", far.target)) as rig:
        row = rig.client.prefill(1, 0)[1]
        assert row[7] == 1.0 and row[8] == 0.0
        until(lambda: rig.faults() == {Fault.ORDER: 1})
        rig.client.end(1)


# -- streams that end ------------------------------------------------------------------------


@pytest.mark.parametrize("act", [Quit(), Leave()], ids=["error", "end"])
def test_a_stream_that_ends_mid_reply(far: ScriptedBidder, act: Act) -> None:
    """Left out at once, without waiting; the next reply after the pause has the bidder again."""
    broken = True

    def script(opening: Open, index: int) -> list[Act]:
        return [act] if broken and index == 2 else [top(opening, index, {7: 1.0})]

    far.script = script
    with Rig(bidder("a", far.target, deadline_ms=1_000)) as rig:
        began = time.monotonic()
        there = [not absent(row) for row in rig.reply(6)]
        assert time.monotonic() - began < 0.9
        assert there == [True, True, False, False, False, False]
        assert rig.left_out() == {"unavailable": 4}
        broken = False
        assert absent(rig.reply(1)[0]), "left alone for a while"
        time.sleep(LIMITS.remote_pause_s)
        assert not any(absent(row) for row in rig.reply(6))


def test_a_killed_bidder_comes_back(far: ScriptedBidder) -> None:
    far.script = insist(7)
    with Rig(bidder("a", far.target, deadline_ms=1_000)) as rig:
        assert not absent(rig.client.prefill(1, 0)[1])
        far.stop()
        began = time.monotonic()
        assert absent(rig.client.step(1, 2, 9)[1])
        assert absent(rig.client.step(1, 2, 9)[1])
        assert time.monotonic() - began < 0.5
        rig.client.end(1)
        far.start()
        until(lambda: not absent(rig.reply(1, conv=2)[0]), seconds=8)


def test_nobody_listens() -> None:
    """A dead endpoint costs nothing but one try per pause."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{taken.getsockname()[1]}"
        with Rig(bidder("a", target, deadline_ms=1_000)) as rig:
            began = time.monotonic()
            for conv in range(20):
                assert all(absent(row) for row in rig.reply(3, conv=conv))
            assert time.monotonic() - began < 1.0
            assert rig.left_out() == {"unavailable": 60}
            assert rig.stats.unavailable.of() <= 2


def test_somebody_listens_but_does_not_answer() -> None:
    """A socket that accepts and says nothing: three deadlines, then nothing. What it should have
    read is bounded: past that it is out."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        target = f"127.0.0.1:{mute.getsockname()[1]}"
        with Rig(bidder("a", target, deadline_ms=50)) as rig:
            began = time.monotonic()
            rig.reply(300)
            assert time.monotonic() - began < 0.05 * LIMITS.remote_misses + 0.8
            found = rig.left_out()
            assert found["deadline"] >= LIMITS.remote_turns
            assert found["unavailable"] == 300 - found["deadline"] > 0


# -- the end of a reply ------------------------------------------------------------------------


def test_end_cancels_a_token_that_waits(far: ScriptedBidder) -> None:
    far.script = lambda opening, index: [Hang()]
    with Rig(bidder("a", far.target, deadline_ms=1_000)) as rig:
        errors: list[SkynetError] = []

        def wait() -> None:
            try:
                rig.client.prefill(1, 0)
            except SkynetError as error:
                errors.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        until(lambda: far.live == 1)
        began = time.monotonic()
        Client(rig.exchange).end(1)
        waiting.join(2)
        assert time.monotonic() - began < 0.5
        assert [error.code for error in errors] == ["cancelled"]
        until(lambda: far.live == 0)
        assert rig.stats.streams == 0


def names() -> list[str]:
    """Threads that are not the scripted bidder's own."""
    return [t.name for t in threading.enumerate() if not t.name.startswith("ThreadPool")]


def test_no_stream_and_no_thread_is_left(far: ScriptedBidder) -> None:
    far.script = insist(7)
    before = set(names())
    with Rig(bidder("a", far.target), bidder("b", far.target)) as rig:
        for conv in range(10):
            rig.reply(3, remotes=2, conv=conv)
        until(lambda: rig.stats.streams == 0 and far.live == 0)
        assert far.closes == 20 and not rig.exchange._live
        for conv in range(5):  # replies nobody ends
            rig.client.prefill(conv, 0, 1)
        assert rig.stats.streams == 10
    assert rig.stats.streams == 0 and not rig.exchange._live
    until(lambda: far.live == 0)
    assert not [t for t in threading.enumerate() if t.name == "remote-bidders"]
    assert set(names()) <= before


def test_a_failed_step_ends_the_streams(far: ScriptedBidder) -> None:
    """As when the worker is lost: the reply opens its streams again when it is replayed."""
    far.script = insist(7)
    with Rig(bidder("a", far.target)) as rig:
        rig.client.prefill(1, 0)
        rig.worker.fault = SkynetError("worker_lost", "The model worker was lost.", 503)
        with pytest.raises(SkynetError, match="lost"):
            rig.client.step(1, 2, 9)
        until(lambda: far.live == 0 and far.closes == 1)
        rig.worker.fault = None
        rig.client.end(1)
        assert not absent(rig.reply(3)[2])
        assert len(far.opens) == 2


def test_idle_conversations_are_closed(
    far: ScriptedBidder, monkeypatch: pytest.MonkeyPatch
) -> None:
    far.script = insist(7)
    monkeypatch.setattr("bls.remote.exchange._SWEEP_S", 0.05)
    monkeypatch.setattr("bls.remote.exchange._IDLE_S", 0.2)
    with Rig(bidder("a", far.target)) as rig:
        rig.client.prefill(1, 0)
        time.sleep(0.1)
        assert far.live == 1
        until(lambda: far.live == 0 and not rig.exchange._live)


# -- rows ----------------------------------------------------------------------------------------


def ids(*rows: tuple[int, ...]) -> np.ndarray:
    width = max(map(len, rows))
    return np.array([row + (PAD,) * (width - len(row)) for row in rows], np.int32)


def test_rows_are_split() -> None:
    local, numbers = split_rows(ids((1, 2), (3,), (REMOTE - 4,), (REMOTE,)))
    assert local.tolist() == [[1, 2], [3, PAD]] and numbers == (4, 0)
    assert split_rows(ids((1, 2)))[1] == ()


@pytest.mark.parametrize(
    "rows",
    [
        ((REMOTE,), (1,)),
        ((1,), (REMOTE,), (2,)),
        ((1,), (REMOTE,), (REMOTE,)),
        ((1, 2), (REMOTE, 5)),
        ((REMOTE,),),
    ],
    ids=str,
)
def test_rows_that_make_no_sense(rows: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(SkynetError) as caught:
        split_rows(ids(*rows))
    assert caught.value.code == "bad_prompt_rows"


def test_a_second_step_waits_for_the_first(far: ScriptedBidder) -> None:
    """It is refused, and the one under way is still answered."""
    with Rig(bidder("a", far.target, deadline_ms=300)) as rig:
        waiting = threading.Thread(target=rig.client.prefill, args=(1, 0))
        waiting.start()
        until(lambda: far.live == 1)
        with pytest.raises(SkynetError) as caught:
            Client(rig.exchange).step(1, 2, 9)
        assert caught.value.code == "bad_step"
        waiting.join(2)
        assert not waiting.is_alive() and rig.left_out() == {"deadline": 1}
        rig.client.end(1)


def test_refusals_begin_nothing(far: ScriptedBidder) -> None:
    far.script = insist(7)
    with Rig(bidder("a", far.target)) as rig:
        with pytest.raises(SkynetError, match="names no bidder"):
            rig.client.prefill(1, 1)
        rig.client.prefill(1, 0)
        with pytest.raises(SkynetError, match="already live"):
            rig.client.prefill(1, 0)
        with pytest.raises(SkynetError, match="every row"):
            rig.client.step(1, 1, 9)
        assert len(far.opens) == 1 and not rig.worker.steps
        assert len([job for job in rig.worker.jobs if isinstance(job, Prefill)]) == 1
        rig.client.end(1)
