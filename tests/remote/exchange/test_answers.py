# SPDX-License-Identifier: Apache-2.0
"""Rows of a remote bidder that works join the local ones."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from bls.errors import SkynetError
from bls.llm.jobs import Prefill
from bls.remote.remote_bidder_pb2 import Full, LogitChunk, Open
from tests.remote.fake_worker import OURS, PROMPT, V, bidder
from tests.remote.rig import Rig
from tests.remote.scripted_bidder import Act, ScriptedBidder, insist, until


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
