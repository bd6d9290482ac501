# SPDX-License-Identifier: Apache-2.0
"""The campaign file's ads are judged and embedded before a server starts, whatever else waits."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from bls.ads.prepare import prepare
from bls.ads.records import CampaignRecord, Checked, NewCreative, Status
from bls.ads.store import AdStore
from bls.settings import Settings
from tests.bls.ads.test_seed import RAIL, file_of

FILE = file_of(RAIL, {**RAIL, "advertiser": "odd", "creative": "\u200b\u200b"})
OTHER = CampaignRecord("other", "other", "O", "general", 1.0, 1, 1, 0, None, None, Status.ACTIVE)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(state=tmp_path, database=database_url)


def test_ours_whatever_waits_before_them(settings: Settings, engine: Engine) -> None:
    store = AdStore(engine)
    store.put_campaign(OTHER)
    store.put_creatives([NewCreative(f"w{n}", "other", "Sell tents.") for n in range(4)])
    passed = [NewCreative(f"e{n}", "other", "Sell tents.", Checked.OK) for n in range(4)]
    store.put_creatives(passed)
    assert prepare(settings, FILE) == (2, [])
    ours = store.creative("alpine_rail_1")
    assert ours is not None and ours.checked is Checked.OK and ours.embedding is not None
    assert {one.msg_id for one in store.to_judge()} >= {f"w{n}" for n in range(4)}
    newest = store.creatives()[-1].seq
    prepare(settings, FILE)
    assert store.creatives(newest) == []


def test_a_text_of_which_nothing_can_be_embedded(settings: Settings, engine: Engine) -> None:
    store = AdStore(engine)
    prepare(settings, FILE)
    store.judge("odd_1", 1, Checked.OK)
    prepare(settings, FILE)
    odd = store.creative("odd_1")
    assert odd is not None and odd.checked is Checked.OK and odd.embedding is None


def test_what_somebody_else_has_is_told(settings: Settings, engine: Engine) -> None:
    store = AdStore(engine)
    store.put_campaign(OTHER)
    store.put_creatives([NewCreative("alpine_rail_1", "other", "Sell tents.")])
    assert prepare(settings, FILE).taken == ["alpine_rail_1"]
    theirs = store.creative("alpine_rail_1")
    assert theirs is not None and theirs.checked is Checked.WAITING
