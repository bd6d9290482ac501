# SPDX-License-Identifier: Apache-2.0
"""Campaigns from a small file, and which of them fit a chat.

The file stands in for the campaign database and the learned selection: same interface, a
keyword match instead of a model.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.remote.endpoint import RemoteEndpoint
from bls.request import Name, Strict, from_validation

DEFAULT_FILE = Path(__file__).with_name("campaigns.json")
_WORD = re.compile(r"[a-z]+")


class Campaign(Strict):
    """One advertiser's offer: what it bids per token, and what its model is told or where it runs.

    Attributes:
        bid: weight per token; with a `rate` only the opening one.
        rate: value of a unit of response (a CPM + b CPC), in weight units: with it the controller
            bids for this campaign, token by token. 0 keeps `bid`.
        category: what it sells (`bls.ads.records.CampaignRecord`).
        daily_budget_micros: most that a UTC day may cost; None has no limit.
        creative: ad prompt of a row of our own model.
        remote: the advertiser's own model instead.
    """

    advertiser: Name
    brand: Annotated[str, Field(min_length=1, max_length=80)]
    bid: Annotated[float, Field(ge=0, le=LIMITS.bid_max)]
    keywords: tuple[str, ...]
    rate: Annotated[float, Field(ge=0, le=1_000)] = 0.0
    category: Name = "general"
    daily_budget_micros: Annotated[int, Field(ge=0, le=10**15)] | None = None
    creative: Annotated[str, Field(min_length=1, max_length=LIMITS.ad_prompt_bytes)] | None = None
    remote: RemoteEndpoint | None = None

    @model_validator(mode="after")
    def _one_model(self) -> Campaign:
        if (self.creative is None) == (self.remote is None):
            raise ValueError("a campaign has either a creative or a remote")
        return self


class Campaigns(Strict):
    """The campaign file. `micros_per_weight`: price of weight 1.0, in micro-dollars per token."""

    micros_per_weight: Annotated[int, Field(gt=0, le=10**9)]
    campaigns: Annotated[tuple[Campaign, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> Campaigns:
        names = [campaign.advertiser for campaign in self.campaigns]
        if len(set(names)) != len(names):
            raise ValueError("an advertiser has two campaigns")
        return self

    def named(self, advertiser: str) -> Campaign | None:
        return next((c for c in self.campaigns if c.advertiser == advertiser), None)

    @property
    def remotes(self) -> tuple[Campaign, ...]:
        """Campaigns with a remote bidder, in the file's order; its place is its number."""
        return tuple(c for c in self.campaigns if c.remote is not None)

    def remote_number(self, campaign: Campaign) -> int | None:
        """The number of a campaign's remote bidder; None when the row is our own model's."""
        return self.remotes.index(campaign) if campaign.remote is not None else None

    def matching(self, text: str, most: int = 3) -> tuple[Campaign, ...]:
        """At most `most` campaigns whose keywords occur in `text`; best match, then bid, first."""
        words = set(_WORD.findall(text.lower()))
        scored = [(len(words.intersection(c.keywords)), c.bid, c) for c in self.campaigns]
        fitting = sorted((s for s in scored if s[0] > 0), key=lambda s: (-s[0], -s[1]))
        return tuple(campaign for _, _, campaign in fitting[:most])


def load_campaigns(path: str = "") -> Campaigns:
    """The campaign file at `path`, or the package's. Raises `bad_campaigns`."""
    file = Path(path) if path else DEFAULT_FILE
    try:
        return Campaigns.model_validate_json(file.read_bytes())
    except OSError as error:
        raise SkynetError("bad_campaigns", "The campaign file cannot be read.", 500) from error
    except ValidationError as error:
        fault = from_validation(error)
        raise SkynetError("bad_campaigns", f"Campaign file: {fault.message}", 500) from None
