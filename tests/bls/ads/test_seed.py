# SPDX-License-Identifier: Apache-2.0
"""The campaign file in the database: at every start, and nothing that was decided since is lost."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from sqlalchemy import Engine

from bls.ads import plans
from bls.ads.database import write
from bls.ads.ledger import Ledger
from bls.ads.records import CampaignRecord, Checked, Funds, NewCreative, Status
from bls.ads.seed import seed
from bls.ads.store import AdStore
from bls.campaigns import Campaigns, load_campaigns

NOW = 86_400.0 * 20_000 + 60
RAIL: dict[str, Any] = {
    "advertiser": "alpine_rail",
    "brand": "Alpine Rail",
    "bid": 1.0,
    "rate": 60.0,
    "daily_budget_micros": 500,
    "keywords": ["trip"],
    "creative": "Recommend night trains.",
}
REMOTE = {
    "advertiser": "far",
    "brand": "Far",
    "bid": 1.0,
    "keywords": [],
    "daily_budget_micros": 70,
    "remote": {"target": "127.0.0.1:9", "vocabulary": "a" * 64},
}


def file_of(*campaigns: dict[str, Any]) -> Campaigns:
    return Campaigns.model_validate_json(
        json.dumps({"micros_per_weight": 1_000, "campaigns": campaigns})
    )


def test_the_file_of_the_package(engine: Engine) -> None:
    campaigns = load_campaigns()
    for _ in range(2):
        seed(engine, campaigns)
    store = AdStore(engine)
    local = [c for c in campaigns.campaigns if c.creative is not None]
    assert {c.campaign_id for c in store.campaigns()} == {c.advertiser for c in local}
    creatives = store.creatives()
    assert {c.msg_id for c in creatives} == {f"{c.advertiser}_1" for c in local}
    assert {c.checked for c in creatives} == {Checked.WAITING}


def test_what_was_decided_since_stays(engine: Engine) -> None:
    seed(engine, file_of(RAIL), lambda: NOW)
    store = AdStore(engine)
    campaign = store.campaign("alpine_rail")
    assert campaign is not None
    assert (campaign.cpc_micros, campaign.cpm_micros, campaign.category) == (
        60_000,
        None,
        "general",
    )
    store.put_campaign(dataclasses.replace(campaign, status=Status.PAUSED, frequency_cap=2))
    store.judge("alpine_rail_1", 1, Checked.OK)
    before = store.campaigns()[0].seq, store.creatives()[0].seq
    seed(engine, file_of(RAIL), lambda: NOW)
    assert (store.campaigns()[0].seq, store.creatives()[0].seq) == before
    changed = {**RAIL, "bid": 2.0, "creative": "Recommend day trains.", "category": "travel"}
    seed(engine, file_of(changed), lambda: NOW)
    after = store.campaigns()[0]
    assert (after.bid, after.category) == (2.0, "travel")
    assert (after.status, after.frequency_cap) == (Status.PAUSED, 2)
    creative = store.creatives()[0]
    assert (creative.version, creative.checked) == (2, Checked.WAITING)
    store.delete_creative("alpine_rail_1")
    seed(engine, file_of(changed), lambda: NOW)
    assert store.creatives()[0].deleted


def test_budgets_of_the_file(engine: Engine) -> None:
    """A remote bidder has a budget too, and no creative; spending survives a restart."""
    seed(engine, file_of(RAIL, REMOTE), lambda: NOW)
    ledger = Ledger(engine, "server", "run", wall=lambda: NOW)
    ledger.reserve("alpine_rail", "r", 400)
    ledger.commit("alpine_rail", "r", 300)
    seed(engine, file_of({**RAIL, "daily_budget_micros": 200}, REMOTE), lambda: NOW)
    funds = AdStore(engine).funds(["alpine_rail", "far", "free"], NOW)
    end = int(NOW) // 86_400 * 86_400 + 86_400
    assert funds == {
        "alpine_rail": Funds(0, end),
        "far": Funds(70, end),
        "free": Funds(None, None),
    }
    assert [c.campaign_id for c in AdStore(engine).campaigns()] == ["alpine_rail"]


def test_an_order_given_since_stays(engine: Engine) -> None:
    """A start of any server is no order: the file counts again when it says something else."""
    seed(engine, file_of(RAIL), lambda: NOW)
    write(engine, lambda c: plans.set_left(c, "alpine_rail", 90, int(NOW) + 50, NOW))
    seed(engine, file_of(RAIL), lambda: NOW)
    store = AdStore(engine, funds_cache_s=0.0)
    assert store.funds(["alpine_rail"], NOW)["alpine_rail"] == Funds(90, int(NOW) + 50)
    write(engine, lambda c: plans.unlimited(c, "alpine_rail"))
    seed(engine, file_of(RAIL), lambda: NOW)
    assert store.funds(["alpine_rail"], NOW)["alpine_rail"].left_micros is None
    seed(engine, file_of({**RAIL, "daily_budget_micros": 600}), lambda: NOW)
    assert store.funds(["alpine_rail"], NOW)["alpine_rail"].left_micros == 600


def test_a_budget_from_before_the_file_named_it_stays(engine: Engine) -> None:
    write(engine, lambda c: plans.set_daily(c, "alpine_rail", 80, NOW))
    seed(engine, file_of(RAIL), lambda: NOW)
    assert AdStore(engine).funds(["alpine_rail"], NOW)["alpine_rail"].left_micros == 80


def test_what_somebody_else_has_is_left_out(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    store = AdStore(engine)
    terms = ("B", "general", 1.0, 1, 1, 0, None, None, Status.ACTIVE)
    store.put_campaign(CampaignRecord("alpine_rail", "bad", *terms))
    store.put_campaign(CampaignRecord("bad", "bad", *terms))
    store.put_creatives([NewCreative("second_1", "bad", "x")])
    second, third = ({**RAIL, "advertiser": name} for name in ("second", "third"))
    assert seed(engine, file_of(RAIL, second, third)) == ["alpine_rail", "second_1"]
    assert "alpine_rail, second_1" in caplog.text
    assert {c.msg_id for c in store.creatives_of("third")} == {"third_1"}
    assert store.creatives_of("second") == store.creatives_of("alpine_rail") == []
    assert [c.campaign_id for c in store.campaigns(0, None, "second")] == ["second"]
