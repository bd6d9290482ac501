# SPDX-License-Identifier: Apache-2.0
"""A token waits for a bidder until its deadline, and soon no longer at all."""

from __future__ import annotations

import threading
import time

from bls.limits import LIMITS
from bls.llm.jobs import Away
from bls.remote.remote_bidder_pb2 import Open
from tests.remote.fake_worker import Client, bidder
from tests.remote.rig import Rig, absent
from tests.remote.scripted_bidder import Act, ScriptedBidder, Sleep, insist, silent, top

LATE_S = 0.12
"""Longer than the deadline of a test's bidder, 60 ms."""


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
