# SPDX-License-Identifier: Apache-2.0
"""Who may not be shown, and why: campaign, money, category, frequency (max_reward_optimizer G-3).

Money is asked of the database; where it cannot be read nothing is shown (fail closed). Only a
reservation is certain: these gates keep out who could not pay, they do not spend.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum

from bls.ads.records import CampaignRecord, Checked, CreativeRecord, Funds

Ledger = Callable[[Sequence[str], float], Mapping[str, Funds]]
"""`AdSource.funds`."""

EVERYTHING = "*"
"""The category that stands for all of them."""


class Gate(StrEnum):
    """What took a creative out; a label of `mro_gated_total`."""

    CAMPAIGN = "campaign"  # paused, before its start, past its end, or not known
    FUNDS = "funds"  # nothing left, or its budget has ended
    CATEGORY = "category"
    FREQUENCY = "frequency"
    CREATIVE = "creative"  # deleted, blocked, or not judged yet
    SIMILARITY = "similarity"


def broke(advertisers: Iterable[str], funds: Mapping[str, Funds], now: float) -> frozenset[str]:
    """Those that cannot pay; one the database says nothing of cannot."""
    return frozenset(name for name in advertisers if not _pays(funds.get(name), now))


def _pays(funds: Funds | None, now: float) -> bool:
    if funds is None or funds.empty:
        return False
    return funds.end_ts is None or now < funds.end_ts


def shown(record: CreativeRecord | None) -> bool:
    """Whether a creative may be shown at all."""
    if record is None or record.deleted or not record.text:
        return False
    return record.checked is Checked.OK


class Gates:
    """Of one reply; each campaign is judged once.

    Args:
        funds: what advertisers may still spend.
        excluded: categories that may not appear here.
        seen: replies of this conversation that carried a campaign.
    """

    def __init__(
        self, funds: Ledger, excluded: Collection[str], seen: Mapping[str, int], now: float
    ) -> None:
        self._funds, self._excluded, self._seen, self._now = funds, excluded, seen, now
        self._judged: dict[str, Gate | None] = {}

    def judge(self, campaigns: Mapping[str, CampaignRecord | None]) -> Mapping[str, Gate | None]:
        """What keeps each campaign out, None for nothing; by campaign id.

        Raises `ads_unavailable`.
        """
        fresh = {name: c for name, c in campaigns.items() if name not in self._judged}
        found = {name: self._unpaid(campaign) for name, campaign in fresh.items()}
        owners = {c.advertiser for name, c in fresh.items() if c and found[name] is None}
        if owners:
            asked = sorted(owners)
            poor = broke(asked, self._funds(asked, self._now), self._now)
            for name, campaign in fresh.items():
                if campaign and campaign.advertiser in poor and found[name] is None:
                    found[name] = Gate.FUNDS
        self._judged |= found
        return self._judged

    def _unpaid(self, campaign: CampaignRecord | None) -> Gate | None:
        """What keeps it out besides money."""
        if campaign is None or not campaign.live(self._now):
            return Gate.CAMPAIGN
        if EVERYTHING in self._excluded or campaign.category in self._excluded:
            return Gate.CATEGORY
        cap = campaign.frequency_cap
        if cap is not None and self._seen.get(campaign.campaign_id, 0) >= cap:
            return Gate.FREQUENCY
        return None
