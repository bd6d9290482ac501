# SPDX-License-Identifier: Apache-2.0
"""Who bids in a reply, and how much for the next token.

`LiveBidder.weights` is asked before every token, so a bid that is replaced while a reply is written
counts from the next token on. A later controller fills the same place.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bls.campaigns import Campaign, Campaigns
from bls.errors import SkynetError, invalid
from bls.request import AuctionOptions, BidderRequest, Message


@dataclass(frozen=True)
class Seat:
    """One advertiser's place in a reply: its row's prompt and its bid w_i per token.

    Attributes:
        ad_prompt: empty for a row that comes from the advertiser's own model.
        remote: the number of that remote bidder.
    """

    advertiser: str
    ad_prompt: str
    bid: float
    remote: int | None = None


class LiveBidder:
    """Bids that may be replaced during the reply, from any thread."""

    def __init__(self, seats: Sequence[Seat]) -> None:
        self._names = [seat.advertiser for seat in seats]
        self._bids = [seat.bid for seat in seats]
        self._next = 0
        self._lock = threading.Lock()

    def weights(self, index: int) -> tuple[float, ...]:
        """Weights of the advertisers' rows for token `index`, in row order."""
        with self._lock:
            self._next = index + 1
            return tuple(self._bids)

    def update(self, bids: Mapping[str, float]) -> int:
        """Replace some bids, all or none; the index of the first token they count for.

        Raises `unknown_advertiser`.
        """
        if unknown := bids.keys() - set(self._names):
            raise invalid(
                "unknown_advertiser", f"{min(unknown)!r} does not bid in this reply.", "bids"
            )
        with self._lock:
            self._bids = [
                bids.get(name, bid) for name, bid in zip(self._names, self._bids, strict=True)
            ]
            return self._next


def choose_seats(
    options: AuctionOptions, messages: tuple[Message, ...], campaigns: Campaigns
) -> tuple[Seat, ...]:
    """Who takes part: the request's bidders, or the campaigns that fit the last user message.

    In that order, but remote bidders last.
    """
    if options.bidders is not None:
        seats = [_seat(bidder, campaigns) for bidder in options.bidders]
    else:
        chosen = campaigns.matching(messages[-1].content)
        seats = [_campaign_seat(campaign, campaign.bid, campaigns) for campaign in chosen]
    return tuple(sorted(seats, key=lambda seat: seat.remote is not None))


def _seat(bidder: BidderRequest, campaigns: Campaigns) -> Seat:
    campaign = campaigns.named(bidder.advertiser)
    if campaign is None:
        if bidder.ad_prompt is None or bidder.bid is None:
            raise _unknown(bidder.advertiser)
        return Seat(bidder.advertiser, bidder.ad_prompt, bidder.bid)
    bid = campaign.bid if bidder.bid is None else bidder.bid
    if bidder.ad_prompt is None:
        return _campaign_seat(campaign, bid, campaigns)
    if campaign.remote is not None:
        raise _no_ad_prompt(bidder.advertiser)
    return Seat(bidder.advertiser, bidder.ad_prompt, bid)


def _campaign_seat(campaign: Campaign, bid: float, campaigns: Campaigns) -> Seat:
    number = campaigns.remote_number(campaign)
    return Seat(campaign.advertiser, campaign.creative or "", bid, number)


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
