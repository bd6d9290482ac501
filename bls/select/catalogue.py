# SPDX-License-Identifier: Apache-2.0
"""Campaigns as the database had them a moment ago: who may take part, and what each is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bls.ads.records import CampaignRecord
from bls.ads.source import AdSource
from bls.select.gates import broke
from bls.select.values import Values, values


@dataclass(frozen=True)
class Snapshot:
    """Attributes:
    poor: advertisers that had nothing left to spend.
    """

    campaigns: Mapping[str, CampaignRecord] = field(default_factory=dict)
    values: Values = field(default_factory=lambda: Values({}, frozenset()))
    poor: frozenset[str] = frozenset()

    def open(self, name: str, now: float) -> bool:
        """Whether a campaign's creatives are worth looking at."""
        campaign = self.campaigns.get(name)
        return campaign is not None and campaign.live(now) and campaign.advertiser not in self.poor


class Catalogue:
    """Read by one thread; `snapshot` by any."""

    def __init__(self, source: AdSource) -> None:
        self._source = source
        self._seq = 0
        self.snapshot = Snapshot()

    def refresh(self, now: float) -> Snapshot:
        """What is new since the last time. Raises `ads_unavailable`; the old one stays then."""
        before = self.snapshot
        changed = self._source.campaigns(self._seq)
        campaigns, worth = before.campaigns, before.values
        if changed:
            campaigns = {**campaigns, **{c.campaign_id: c for c in changed}}
            worth = values(campaigns.values())
        owners = sorted({c.advertiser for c in campaigns.values() if c.live(now)})
        poor = broke(owners, self._source.funds(owners, now), now) if owners else frozenset()
        self.snapshot = Snapshot(campaigns, worth, poor)
        self._seq = max([self._seq, *(c.seq for c in changed)])
        return self.snapshot
