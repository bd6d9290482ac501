# SPDX-License-Identifier: Apache-2.0
"""The plan, who asks what, and how the competitors bid."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from bls.campaigns import load_campaigns
from bls.errors import SkynetError
from bls.limits import LIMITS
from client.gateway.chat_request import Ids, read_chat
from pipelines_dagster.traffic.asks import Ask, asks, chats
from pipelines_dagster.traffic.plan import CAMPAIGNS, TrafficPlan
from pipelines_dagster.traffic.rivals import Rivals


def first(count: int, **changes: Any) -> list[Ask]:
    plan = TrafficPlan(**changes)
    return list(itertools.islice(asks(plan, load_campaigns(str(CAMPAIGNS))), count))


@pytest.mark.parametrize(
    "changes",
    [
        {"seconds": 0.0},
        {"seconds": float("nan")},
        {"replies": 0},
        {"concurrency": 0},
        {"concurrency": LIMITS.streams + 1},
        {"rivals": (0, 1)},
        {"rivals": (3, 2)},
        {"hosted": -1},
        {"hosted": 4, "rivals": (2, 5)},
        {"tokens": (0, 5)},
        {"tokens": (5, LIMITS.output_tokens + 1)},
        {"scenario": "calm"},
    ],
)
def test_a_plan_that_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(SkynetError) as caught:
        TrafficPlan(**changes)
    assert caught.value.code == "bad_plan"


def test_the_seed_decides_everything() -> None:
    once, again, other = first(5), first(5), first(5, seed=1)
    assert [ask.body() for ask in once] == [ask.body() for ask in again]
    assert [ask.body() for ask in once] != [ask.body() for ask in other]
    assert len({ask.conv_id for ask in once + other}) == 10


def test_the_gateway_takes_every_request() -> None:
    for ask in first(40, hosted=2, scenario="train"):
        chat = read_chat(ask.body(), ("skynet",), Ids("req-1", "conv-1"))
        bidders = chat.request.auction.bidders
        assert bidders is not None
        assert [bidder.bid for bidder in bidders[:2]] == [None, None]
        assert all(bidder.bid is not None for bidder in bidders[2:])
        assert {bidder.advertiser for bidder in bidders} == set(ask.words())


def test_chats_end_with_a_user() -> None:
    assert all(chat[-1]["role"] == "user" for chat in chats())
    assert len(chats()) > 10


def test_bids_follow_the_process_and_time_never_runs_back() -> None:
    rng = np.random.default_rng(0)
    rivals = Rivals("predictable", 3, rng)
    path = [rivals.bids(index) for index in range(-1, 60)]
    assert rivals.bids(10) == path[-1]
    logs = np.log([[bids[one.advertiser] for one in rivals.members] for bids in path])
    steps = np.abs(np.diff(logs, axis=0))
    assert np.median(steps) < 0.3  # a path, not noise
    assert logs.std() > 0.1
    assert all(0 < bid <= LIMITS.bid_max for bids in path for bid in bids.values())


def test_a_jump_in_time_is_one_path() -> None:
    slow, fast = (Rivals("stationary", 2, np.random.default_rng(4)) for _ in range(2))
    for index in range(8):
        slow.bids(index)
    assert slow.bids(8) == fast.bids(8)
