# SPDX-License-Identifier: Apache-2.0
"""Bids that change while a reply is written, and how an update finds its reply."""

from __future__ import annotations

import json
import threading

import pytest

from bls.bidding import LiveBidder, Seat
from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.reply.live import LiveReplies
from bls.request import is_update, parse_update

SEATS = (Seat("a", "x", 1.0), Seat("b", "", 2.0, remote=0))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_new_bids_count_from_the_next_token() -> None:
    bidder = LiveBidder(SEATS)
    assert bidder.update({"a": 0.5}) == 0
    assert bidder.offers(0).bids == (0.5, 2.0)
    assert bidder.offers(1).bids == (0.5, 2.0)
    assert bidder.update({"b": 0.0}) == 2
    assert bidder.offers(2).bids == (0.5, 0.0)


def test_an_update_is_taken_whole_or_not_at_all() -> None:
    bidder = LiveBidder(SEATS)
    with pytest.raises(SkynetError) as caught:
        bidder.update({"a": 9.0, "stranger": 1.0})
    assert (caught.value.code, caught.value.param) == ("unknown_advertiser", "bids")
    assert bidder.offers(0).bids == (1.0, 2.0)


def test_an_update_names_the_token_that_first_has_it() -> None:
    """Whatever the threads do: the token before `applied_from` has an older bid."""
    bidder = LiveBidder(SEATS)
    seen: list[float] = []
    applied: list[tuple[int, float]] = []

    def change() -> None:
        for amount in range(1, 101):
            applied.append((bidder.update({"a": amount / 100}), amount / 100))

    thread = threading.Thread(target=change)
    thread.start()
    while thread.is_alive() or len(seen) < 10:
        seen.append(bidder.offers(len(seen)).bids[0])
    seen.append(bidder.offers(len(seen)).bids[0])
    assert all(seen[index] >= amount for index, amount in applied)
    assert all(index == 0 or seen[index - 1] < amount for index, amount in applied)
    assert seen[-1] == 1.0


def test_two_campaigns_of_one_advertiser_are_updated_together() -> None:
    bidder = LiveBidder((Seat("a", "x", 1.0), Seat("a", "y", 2.0)))
    bidder.update({"a": 3.0})
    assert bidder.offers(0).bids == (3.0, 3.0)


def test_a_name_is_live_once() -> None:
    replies, first, second = LiveReplies(), LiveBidder(SEATS), LiveBidder(SEATS)
    with replies.holding("c", first):
        with pytest.raises(SkynetError) as caught, replies.holding("c", second):
            pass
        assert (caught.value.code, caught.value.status) == ("conversation_live", 409)
        replies.update("c", {"a": 0.25})
    assert first.offers(0).bids == (0.25, 2.0) and second.offers(0).bids == (1.0, 2.0)
    with replies.holding("c", second):
        replies.update("c", {"a": 0.75})
    assert second.offers(1).bids == (0.75, 2.0)


def test_the_dead_are_not_found() -> None:
    replies = LiveReplies()
    with pytest.raises(ZeroDivisionError), replies.holding("c", LiveBidder(SEATS)):
        raise ZeroDivisionError
    with pytest.raises(SkynetError) as caught:
        replies.update("c", {"a": 1.0})
    assert (caught.value.code, caught.value.status) == ("conversation_not_found", 404)


def test_updates_per_second_at_the_limit_and_one_past() -> None:
    clock = Clock()
    replies = LiveReplies(clock)
    with replies.holding("c", LiveBidder(SEATS)), replies.holding("d", LiveBidder(SEATS)):
        for _ in range(LIMITS.bid_updates_per_s):
            replies.update("c", {"a": 1.0})
            clock.now += 1e-3
        with pytest.raises(SkynetError) as caught:
            replies.update("c", {"a": 1.0})
        assert (caught.value.code, caught.value.status) == ("too_many_updates", 429)
        replies.update("d", {"a": 1.0})
        clock.now = 1.0
        replies.update("c", {"a": 1.0})
        with pytest.raises(SkynetError):
            replies.update("c", {"a": 1.0})


UPDATE = {"request_id": "r", "conv_id": "c", "bids": {"a": 1.0}}


def test_an_update_is_told_from_a_reply() -> None:
    assert is_update(json.dumps(UPDATE).encode())
    assert is_update(b'{"bids": 1}')
    chat = {"request_id": "r", "conv_id": "c", "messages": [{"role": "user", "content": "bids"}]}
    for raw in (json.dumps(chat).encode(), b"", b"{", b"\xff", b'["bids"]', b'"bids"'):
        assert not is_update(raw)
    assert not is_update(json.dumps(UPDATE | {"x": "y" * LIMITS.bid_update_bytes}).encode())


def test_the_largest_update_fits() -> None:
    bids = {f"{n}{'x' * 63}": 12.345678901234567 for n in range(LIMITS.bidders)}
    whole = {"request_id": "r" * 128, "conv_id": "c" * 128, "bids": bids}
    raw = json.dumps(whole, indent=2).encode()
    assert is_update(raw) and parse_update(raw).bids == bids
