# SPDX-License-Identifier: Apache-2.0
"""Puts the campaign file into the database when a server starts.

What the file says of a campaign it names (brand, bid, value, category, text) counts at every start;
what it cannot say (status, dates, caps, verdicts) stays as it is. Its daily budget counts once, and
again when the file says another: orders given since stay. A creative of it waits for the guard like
any other, and one that was deleted stays deleted. What somebody else owns is left out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sqlalchemy import Connection, Engine, select, update

from bls.ads import creatives, plans, rows
from bls.ads.database import write
from bls.ads.records import CampaignRecord, NewCreative, Status
from bls.ads.schema import campaigns as table
from bls.ads.schema import seeds
from bls.ads.store import put_campaign
from bls.campaigns import Campaign, Campaigns

log = logging.getLogger("skynet.ads")


def seed(engine: Engine, campaigns: Campaigns, wall: Callable[[], float] = time.time) -> list[str]:
    """The names of campaigns and creatives that somebody else has, so they were left out.

    The rest is stored, all of it or nothing; again changes nothing. Raises `ads_unavailable`.
    """
    taken = write(engine, lambda connection: _seed(connection, campaigns, wall()))
    if taken:
        log.warning("names of the campaign file that somebody else has: %s", ", ".join(taken))
    return taken


def message_id(campaign: Campaign) -> str:
    """The name of the file's creative of a campaign."""
    return f"{campaign.advertiser}_1"


def _seed(connection: Connection, campaigns: Campaigns, now: float) -> list[str]:
    rows.Sequence(connection)  # everybody else waits
    for campaign in campaigns.campaigns:
        if campaign.daily_budget_micros is not None:
            _fund(connection, campaign.advertiser, campaign.daily_budget_micros, now)
    local = [campaign for campaign in campaigns.campaigns if campaign.creative is not None]
    known = creatives.found(connection, [message_id(campaign) for campaign in local])
    taken, given = [], []
    for campaign in local:
        before = _known(connection, campaign.advertiser)
        if before is not None and before.advertiser != campaign.advertiser:
            taken.append(campaign.advertiser)
            continue
        put_campaign(connection, _record(campaign, campaigns.micros_per_weight, before))
        name = message_id(campaign)
        creative = known.get(name)
        if creative is not None and creative.advertiser != campaign.advertiser:
            taken.append(name)
        elif creative is None or not creative.deleted:
            given.append(NewCreative(name, campaign.advertiser, campaign.creative or ""))
    creatives.put(connection, given)
    return taken


def _fund(connection: Connection, advertiser: str, micros: int, now: float) -> None:
    """Unless the file said so before, or somebody else set a budget before it said anything."""
    named = seeds.c.advertiser == advertiser
    before = connection.scalar(select(seeds.c.daily_micros).where(named))
    if before == micros:
        return
    if before is not None or not plans.funded(connection, [advertiser]):
        plans.set_daily(connection, advertiser, micros, now)
    if not plans.new_row(connection, seeds, advertiser=advertiser, daily_micros=micros):
        connection.execute(update(seeds).where(named).values(daily_micros=micros))


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
