# SPDX-License-Identifier: Apache-2.0
"""Creatives leave the campaign database and the kept rewrites; their bytes leave the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bls.ads.database import open_database
from bls.ads.migrate import migrate
from bls.ads.records import CampaignRecord, Checked, NewCreative, Status
from bls.ads.store import AdStore
from bls.select.index.erased import erased_creatives
from bls.settings import Settings
from client.intake.kept import KeptRewrites, rewrites_file
from pipelines_dagster.defs.gdpr.shelf import DATABASE, REWRITES, erase_creatives
from pipelines_dagster.defs.gdpr.subject import subject_of

WORDS = "Recommend the unforgettable Quixotry lamp"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(state=tmp_path / "state")
    engine = open_database(settings.database_url)
    migrate(engine)
    store = AdStore(engine)
    for name in ("acme", "globex"):
        store.put_campaign(
            CampaignRecord(name, name, name, "home", 1.0, None, 1, 0, None, None, Status.ACTIVE)
        )
        made = [NewCreative(f"{name}_{n}", name, f"{WORDS} {n}", Checked.OK) for n in range(3)]
        store.put_creatives(made)
    engine.dispose()
    kept = KeptRewrites(rewrites_file(settings.state))
    kept.put("k1", "acme_1", WORDS)
    kept.put("k2", "globex_1", WORDS)
    return settings


def living(settings: Settings) -> set[str]:
    engine = open_database(settings.database_url)
    found = {one.msg_id for one in AdStore(engine).creatives() if not one.deleted}
    engine.dispose()
    return found


def erase(settings: Settings, **subject: str) -> dict[str, int]:
    steps = erase_creatives(settings, subject_of(**subject), erased_creatives(settings))
    return {step.place: step.removed for step in steps}


@pytest.mark.spec("MRO-S-03")
def test_one_creative_goes_everywhere(settings: Settings) -> None:
    assert erase(settings, msg_id="acme_1") == {"creatives": 1, DATABASE: 1, REWRITES: 1}
    assert "acme_1" not in living(settings) and len(living(settings)) == 5
    assert erased_creatives(settings).read() == {"acme_1"}
    assert erase(settings, msg_id="acme_1") == {"creatives": 0, DATABASE: 0}


def test_all_of_an_advertiser_go_and_leave_no_bytes(settings: Settings) -> None:
    erase(settings, adv_id="globex")
    assert erase(settings, adv_id="acme") == {DATABASE: 3, REWRITES: 1}
    assert living(settings) == set()
    for file in settings.state.rglob("*"):
        assert not file.is_file() or b"Quixotry" not in file.read_bytes(), file.name


def test_a_conversation_has_none(settings: Settings) -> None:
    assert erase(settings, conv_id="c") == {}


def test_no_database_is_made_by_asking(tmp_path: Path) -> None:
    bare = Settings(state=tmp_path / "bare")
    assert erase(bare, msg_id="m") == {"creatives": 1}
    assert not (tmp_path / "bare" / "skynet.db").exists()
