# SPDX-License-Identifier: Apache-2.0
"""What each advertiser bids for the next token, behind the interface a bid model will fill.

`Bidder.weights` is asked before every token; today's answer is constant. A later controller
reads the last outcome and the budget through the same call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bls.campaigns import Campaigns
from bls.errors import SkynetError, invalid
from bls.request import AuctionOptions, BidderRequest, Message


@dataclass(frozen=True)
class Seat:
    """One advertiser's place in a reply: its row's prompt and its bid w_i per token."""

    advertiser: str
    ad_prompt: str
    bid: float


class Bidder(Protocol):
    """Weights of the advertiser rows for token `index` (row order, reference not included)."""

    def weights(self, index: int) -> tuple[float, ...]: ...


@dataclass(frozen=True)
class ConstantBidder:
    """Bids that never change during a reply."""

    seats: tuple[Seat, ...]

    def weights(self, index: int) -> tuple[float, ...]:
        return tuple(seat.bid for seat in self.seats)


def choose_seats(
    options: AuctionOptions, messages: tuple[Message, ...], campaigns: Campaigns
) -> tuple[Seat, ...]:
    """Who takes part: the request's bidders, or the campaigns that fit the last user message."""
    if options.bidders is not None:
        return tuple(_seat(bidder, campaigns) for bidder in options.bidders)
    chosen = campaigns.matching(messages[-1].content)
    return tuple(Seat(c.advertiser, c.creative, c.bid) for c in chosen)


def _seat(bidder: BidderRequest, campaigns: Campaigns) -> Seat:
    campaign = campaigns.named(bidder.advertiser)
    ad_prompt = bidder.ad_prompt or (campaign.creative if campaign else None)
    bid = bidder.bid if bidder.bid is not None else (campaign.bid if campaign else None)
    if ad_prompt is None or bid is None:
        raise _unknown(bidder.advertiser)
    return Seat(bidder.advertiser, ad_prompt, bid)


def _unknown(advertiser: str) -> SkynetError:
    return invalid(
        "unknown_campaign",
        f"No campaign of {advertiser!r}: give both bid and ad_prompt.",
        "skynet.bidders",
    )
