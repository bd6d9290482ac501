# SPDX-License-Identifier: Apache-2.0
"""Who bids in a reply, and how much for the next token.

`LiveBidder.offers` is asked before every token, so a bid that is replaced while a reply is written
counts from the next token on. Where
a campaign says what a response is worth, the controller (`bls/brain/`) decides instead.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bls.campaigns import Campaign, Campaigns
from bls.errors import SkynetError, invalid
from bls.request import BidderRequest, Message
from bls.select.answer import Chosen


@dataclass(frozen=True)
class Seat:
    """One advertiser's place in a reply: its row's prompt and its bid w_i per token.

    Attributes:
        ad_prompt: empty for a row that comes from the advertiser's own model.
        remote: the number of that remote bidder.
        rate: what the campaign pays for a unit of response, in weight units; with one, the
            controller decides the weight of every token, and `bid` is only the opening.
        msg_id: the creative that `ad_prompt` is; empty for a text the request brought.
    """

    advertiser: str
    ad_prompt: str
    bid: float
    remote: int | None = None
    rate: float = 0.0
    msg_id: str = ""

    @property
    def controlled(self) -> bool:
        """The controller bids for it: it has a rate, and its row is ours to value."""
        return self.rate > 0 and self.remote is None


class Offers(NamedTuple):
    """For one token, in row order without the reference: fixed bids, and who has a controller."""

    bids: tuple[float, ...]
    controlled: tuple[bool, ...]


class LiveBidder:
    """Bids that may be replaced during the reply, from any thread.

    An advertiser that names a bid itself is no longer bid for by the controller.
    """

    def __init__(self, seats: Sequence[Seat]) -> None:
        self._names = [seat.advertiser for seat in seats]
        self._bids = [seat.bid for seat in seats]
        self._controlled = [seat.controlled for seat in seats]
        self._next = 0
        self._lock = threading.Lock()

    @property
    def next(self) -> int:
        """Index of the first token that a change made now counts for."""
        with self._lock:
            return self._next

    def offers(self, index: int) -> Offers:
        """What counts for token `index`."""
        with self._lock:
            self._next = index + 1
            return Offers(tuple(self._bids), tuple(self._controlled))

    def update(self, bids: Mapping[str, float]) -> int:
        """Replace some bids, all or none; the index of the first token they count for.

        Raises `unknown_advertiser`.
        """
        if unknown := bids.keys() - set(self._names):
            raise invalid(
                "unknown_advertiser", f"{min(unknown)!r} does not bid in this reply.", "bids"
            )
        with self._lock:
            for row, name in enumerate(self._names):
                if name in bids:
                    self._bids[row] = bids[name]
                    self._controlled[row] = False
            return self._next


def requested_seats(bidders: Sequence[BidderRequest], campaigns: Campaigns) -> tuple[Seat, ...]:
    """The request's own bidders, remote ones last. Raises `unknown_campaign`, `remote_bidder`."""
    return in_order([_seat(bidder, campaigns) for bidder in bidders])


def chosen_seats(
    chosen: Sequence[Chosen], messages: Sequence[Message], campaigns: Campaigns
) -> tuple[Seat, ...]:
    """The creatives that were selected, then the remote bidders whose keywords fit the chat.

    An advertiser's own model has no creative, so no selection can find it.
    """
    unit = campaigns.micros_per_weight
    seats = [
        Seat(one.advertiser, one.text, one.bid, rate=one.rate_micros / unit, msg_id=one.msg_id)
        for one in chosen
    ]
    names = {seat.advertiser for seat in seats}
    remote = [
        _campaign_seat(campaign, campaigns)
        for campaign in campaigns.matching(messages[-1].content)
        if campaign.remote is not None and campaign.advertiser not in names
    ]
    return in_order([*seats, *remote])


def in_order(seats: Sequence[Seat]) -> tuple[Seat, ...]:
    """As they came, but remote bidders last."""
    return tuple(sorted(seats, key=lambda seat: seat.remote is not None))


def _seat(bidder: BidderRequest, campaigns: Campaigns) -> Seat:
    campaign = campaigns.named(bidder.advertiser)
    if campaign is None:
        if bidder.ad_prompt is None or bidder.bid is None:
            raise _unknown(bidder.advertiser)
        return Seat(bidder.advertiser, bidder.ad_prompt, bidder.bid)
    if bidder.ad_prompt is not None and campaign.remote is not None:
        raise _no_ad_prompt(bidder.advertiser)
    seat = _campaign_seat(campaign, campaigns)
    if bidder.bid is not None:
        seat = replace(seat, bid=bidder.bid, rate=0.0)
    return seat if bidder.ad_prompt is None else replace(seat, ad_prompt=bidder.ad_prompt)


def _campaign_seat(campaign: Campaign, campaigns: Campaigns) -> Seat:
    number = campaigns.remote_number(campaign)
    creative = campaign.creative or ""
    return Seat(campaign.advertiser, creative, campaign.bid, number, campaign.rate)


def _unknown(advertiser: str) -> SkynetError:
    return invalid(
        "unknown_campaign",
        f"No campaign of {advertiser!r}: give both bid and ad_prompt.",
        "skynet.bidders",
    )


def _no_ad_prompt(advertiser: str) -> SkynetError:
    return invalid(
        "remote_bidder",
        f"{advertiser!r} runs its own model, which takes no ad_prompt.",
        "skynet.bidders",
    )
