# SPDX-License-Identifier: Apache-2.0
"""Trainers of the shop's models: a version with its manifest, its gate, and when there is none."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from bls.errors import SkynetError
from bls.models.model_key import PRICE, model_key
from bls.phantom.session import Quote, Session, SessionEvent
from bls.settings import Settings
from export.model_manifest import ModelManifest
from pipelines_dagster.defs.datasets import schema
from pipelines_dagster.defs.promotion.desk import Desk, open_desk
from pipelines_dagster.defs.promotion.validation import validate
from pipelines_dagster.defs.training import sessions
from pipelines_dagster.defs.training.run import train_one
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.registry.store import local_path
from pipelines_dagster.settings import PipelineSettings
from tests.phantom.pricing.stub import write_version

pytest.importorskip("export.agent_score.training")
pytest.importorskip("export.session_price.artefact")
pytest.importorskip("pipelines_dagster.phantom.traffic.plan")
pytest.importorskip("pipelines_dagster.defs.datasets.sessions")

pytestmark = pytest.mark.spec("PH-12")


@pytest.fixture
def settings(tmp_path: Path) -> PipelineSettings:
    shipped = write_version(tmp_path / "shipped", 1.0)
    serving = Settings(state=tmp_path / "state", price_model=str(shipped))
    return PipelineSettings(serving, webhook="log", training="quick")


@pytest.fixture
def desk(settings: PipelineSettings) -> Desk:
    return open_desk(settings)


def into(lake: Lake, made: list[Session], day: str = "2026-11-22") -> None:
    """As ingest and the silver job would have them."""
    acts = [
        {
            "session_id": one.sid,
            "ts": event.ts_ms / 1000,
            "seq": number,
            "event_id": f"{one.sid}:{number}",
            "mode": one.mode,
            "raw_action": event.action,
            "action": event.action,
            "item": event.item,
            "ts_ms": event.ts_ms,
            "dwell_ms": event.dwell_ms,
            "meta": "",
            "experiment": "",
            "condition": "",
            "label": one.label,
            "origin": one.origin,
            "actor": one.actor,
            "user_agent": "",
            "agent_probability": float("nan"),
            "agent_version": "",
            "dt": day,
        }
        for one in made
        for number, event in enumerate(one.events)
    ]
    columns = schema.SESSIONS
    lake.append(sessions.TABLE, pl.DataFrame(acts).select(list(columns)).cast(pl.Schema(columns)))


def test_sessions_come_back_out_of_the_lake(desk: Desk) -> None:
    made = list(sessions.generated(20, 3))
    unknown = Session("x", "hotel", 1, (SessionEvent("page_view", "", 1),) * 3)
    short = Session("y", "hotel", 1, (SessionEvent("page_view", "", 1),), label="human", origin="o")
    into(desk.lake, [*made, unknown, short])
    found = {one.sid: one for one in sessions.lake_sessions(desk.lake)}
    wanted = {one.sid: one for one in made if len(one.events) > 1}
    assert found.keys() == wanted.keys()
    for sid, one in found.items():
        told = wanted[sid]
        assert (one.events, one.mode, one.label, one.origin, one.actor) == (
            told.events,
            told.mode,
            told.label,
            told.origin,
            told.actor,
        )
    held = {sid for sid in wanted if sessions.is_held(sid)}
    assert {one.sid for one in sessions.learnt(desk.lake)} == wanted.keys() - held


def test_what_the_shop_was_sent_is_not_both_taught_and_judged(desk: Desk) -> None:
    """The traffic that a training makes has been posted with the same seed."""
    into(desk.lake, list(sessions.generated(60, 0)))
    judged = {one.sid for one in sessions.held_out(desk.lake, "quick")}
    learnt = {one.sid for one in sessions.learnt(desk.lake)}
    taught = {one.sid for one in sessions.taught(60, 0)}
    assert judged and learnt <= taught
    assert not judged & (learnt | taught)


def test_prices_shown_go_with_their_session(desk: Desk) -> None:
    made = list(sessions.generated(4, 3))
    into(desk.lake, made)
    shown = pl.DataFrame(
        {
            "session_id": [made[0].sid] * 2,
            "event_id": ["q2", "q1"],
            "seq": [2, 1],
            "item": ["b", "a"],
            "price_micros": [2, 1],
            "ts_ms": [20, 10],
            "dt": ["2026-11-22"] * 2,
        }
    )
    desk.lake.append(sessions.PRICES, shown)
    quotes = {one.sid: one.quotes for one in sessions.lake_sessions(desk.lake)}
    assert quotes[made[0].sid] == (Quote("a", 1, 10), Quote("b", 2, 20))
    assert not any(quotes[one.sid] for one in made[1:] if one.sid in quotes)


@pytest.mark.spec("PH-10")
def test_an_agent_score_is_trained_and_judged(settings: PipelineSettings, desk: Desk) -> None:
    with pytest.raises(SkynetError) as refused:
        train_one("agent", settings, desk)
    assert refused.value.code == "no_data"
    into(desk.lake, list(sessions.generated(60, 21)))
    event = train_one("agent", settings, desk, seed=2)
    folder = local_path(event.stored.uri)
    assert event.stored.version.startswith("agent_")
    assert ModelManifest.load(folder).name == "agent_score"
    assert event.details["lake"]["silver/sessions"] >= 0
    verdict = validate(event, settings, desk)
    assert {check.name for check in verdict.checks} == {"low", "high", "auc_low", "ece"}
    assert all(check.value == check.value for check in verdict.checks), "figures there are"


@pytest.mark.spec("PH-10")
def test_a_price_is_trained_once(settings: PipelineSettings, desk: Desk) -> None:
    """Against the base price; then against itself, which is nothing better."""
    event = train_one("price", settings, desk)
    manifest = ModelManifest.load(local_path(event.stored.uri))
    assert manifest.name == "session_price" and event.details["metrics"]["gained"] > 0
    assert validate(event, settings, desk).passed
    desk.keys.put(model_key(PRICE), event.stored.key().value())
    with pytest.raises(SkynetError) as refused:
        train_one("price", settings, desk)
    assert refused.value.code == "nothing_better"
