# SPDX-License-Identifier: Apache-2.0
"""Puts the campaign file into the database when a server starts.

What the file says of a campaign it names (brand, bid, value, category, text, daily budget) counts
at every start; what it cannot say (status, dates, caps, verdicts) stays as it is. A creative of it
waits for the guard like any other, and one that was deleted stays deleted.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection, Engine, select

from bls.ads import creatives, plans, rows
from bls.ads.database import write
from bls.ads.records import CampaignRecord, NewCreative, Status
from bls.ads.schema import campaigns as table
from bls.ads.store import put_campaign
from bls.campaigns import Campaign, Campaigns


def seed(engine: Engine, campaigns: Campaigns, wall: Callable[[], float] = time.time) -> None:
    """All of it or nothing; again changes nothing. Raises `ads_unavailable`, `campaign_taken`."""
    write(engine, lambda connection: _seed(connection, campaigns, wall()))


def message_id(campaign: Campaign) -> str:
    """The name of the file's creative of a campaign."""
    return f"{campaign.advertiser}_1"


def _seed(connection: Connection, campaigns: Campaigns, now: float) -> None:
    rows.Sequence(connection)  # everybody else waits
    for campaign in campaigns.campaigns:
        if campaign.daily_budget_micros is not None:
            plans.set_daily(connection, campaign.advertiser, campaign.daily_budget_micros, now)
    local = [campaign for campaign in campaigns.campaigns if campaign.creative is not None]
    for campaign in local:
        before = _known(connection, campaign.advertiser)
        put_campaign(connection, _record(campaign, campaigns.micros_per_weight, before))
    known = creatives.found(connection, [message_id(campaign) for campaign in local])
    dead = {name for name, creative in known.items() if creative.deleted}
    given = [
        NewCreative(message_id(campaign), campaign.advertiser, campaign.creative or "")
        for campaign in local
        if message_id(campaign) not in dead
    ]
    creatives.put(connection, given)


def _known(connection: Connection, name: str) -> CampaignRecord | None:
    row = connection.execute(select(table).where(table.c.campaign_id == name)).one_or_none()
    return None if row is None else rows.campaign_record(row)


def _record(campaign: Campaign, unit: int, before: CampaignRecord | None) -> CampaignRecord:
    return CampaignRecord(
        campaign_id=campaign.advertiser,
        advertiser=campaign.advertiser,
        brand=campaign.brand,
        category=campaign.category,
        bid=campaign.bid,
        cpm_micros=before.cpm_micros if before else None,
        cpc_micros=round(campaign.rate * unit),
        start_ts=before.start_ts if before else 0,
        end_ts=before.end_ts if before else None,
        frequency_cap=before.frequency_cap if before else None,
        status=before.status if before else Status.ACTIVE,
    )
