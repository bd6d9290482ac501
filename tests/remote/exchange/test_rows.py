# SPDX-License-Identifier: Apache-2.0
"""Rows of a request split into local and remote ones, or refused."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from bls.contracts import PAD, REMOTE
from bls.errors import SkynetError
from bls.llm.jobs import Prefill
from bls.remote.exchange import split_rows
from tests.remote.fake_worker import Client, bidder
from tests.remote.rig import Rig
from tests.remote.scripted_bidder import ScriptedBidder, insist, until


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
