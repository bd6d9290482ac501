# SPDX-License-Identifier: Apache-2.0
"""On which terms a campaign is made for imported creatives; one that exists keeps its own."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bls.ads.records import CampaignRecord, Status
from client.intake.product import Product


@dataclass(frozen=True)
class Terms:
    """Attributes:
    bid: opening weight per token, in units of the blend.
    cpm_micros, cpc_micros: None takes the median of what is known.
    daily_micros: what an advertiser without a budget may spend a day; None gives it none.
    campaign: the one campaign of every row; empty makes one of each advertiser and category.
    """

    bid: float = 1.0
    cpm_micros: int | None = None
    cpc_micros: int | None = None
    daily_micros: int | None = None
    campaign: str = ""

    def campaign_id(self, product: Product) -> str:
        return self.campaign or product.campaign_id

    def record(self, product: Product) -> CampaignRecord:
        """A campaign that begins now and has no end."""
        return CampaignRecord(
            campaign_id=self.campaign_id(product),
            advertiser=product.advertiser,
            brand=product.brand,
            category=product.category,
            bid=self.bid,
            cpm_micros=self.cpm_micros,
            cpc_micros=self.cpc_micros,
            start_ts=int(time.time()),
            end_ts=None,
            frequency_cap=None,
            status=Status.ACTIVE,
        )
