# SPDX-License-Identifier: Apache-2.0
"""Chunks that make no sense are left out and counted."""

from __future__ import annotations

import time

import pytest

from bls.limits import LIMITS
from bls.remote.chunk import Fault
from bls.remote.remote_bidder_pb2 import LogitChunk, Open, TopK
from tests.remote.fake_worker import V, bidder
from tests.remote.rig import Rig, absent
from tests.remote.scripted_bidder import Act, ScriptedBidder, top, until


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
