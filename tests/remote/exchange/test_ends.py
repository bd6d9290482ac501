# SPDX-License-Identifier: Apache-2.0
"""Streams that end, bidders that are away, and the end of a reply: nothing is left."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.remote.remote_bidder_pb2 import Open
from tests.remote.fake_worker import Client, bidder
from tests.remote.rig import Rig, absent
from tests.remote.scripted_bidder import Act, Hang, Leave, Quit, ScriptedBidder, insist, top, until


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
