# SPDX-License-Identifier: Apache-2.0
"""A promotion from its gate to the key, each way it can end."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from bls.models.model_key import ModelKey, canary_key, model_key
from export.manifest import MANIFEST_NAME, file_sha256
from pipelines_dagster.defs.promotion.arms import Observation, Rules
from pipelines_dagster.defs.promotion.champion import champion
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.promotion.promote import promote
from pipelines_dagster.defs.promotion.recover import rollback
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.registry.store import local_path
from pipelines_dagster.settings import PipelineSettings
from tests.pipelines.promotion.conftest import Version
from tests.pipelines.promotion.lake_rows import write_curves, write_forecasts
from tests.pipelines.promotion.rig import PLAN, arm, better, events, lines, told, worse


@pytest.mark.spec("ORC-U-03")
def test_the_key_has_the_hash_of_the_artefact(desk: Desk, pair: tuple[Stored, Stored]) -> None:
    first, second = pair
    done = promote(desk, second, first, PLAN, better)
    key = desk.keys.model("pred")
    assert key is not None and done.promoted
    folder = local_path(key.uri)
    assert key.sha256 == file_sha256(folder / MANIFEST_NAME)
    listed = json.loads((folder / MANIFEST_NAME).read_text())["files"]
    assert {name: file_sha256(folder / name) for name in listed} == listed


@pytest.mark.spec("CBP-I-03", "ORC-C-03")
def test_a_better_challenger_is_promoted(desk: Desk, pair: tuple[Stored, Stored]) -> None:
    first, second = pair
    shares = []

    def look() -> Observation:
        canary = desk.keys.canary("pred")
        shares.append(canary.share if canary else 0.0)
        return better()

    done = promote(desk, second, first, PLAN, look)
    assert done.promoted and done.key_version == 2 and done.elapsed_ms < 30_000
    assert shares == [0.25]
    assert desk.keys.model("pred") == second.key()
    assert desk.keys.canary("pred") is None
    assert events(desk)[2:] == ["started", "canary_on", "observed", "promoting", "promoted"]
    last = desk.ledger.events("pred")[-1]
    assert last.key_version == 2 and last.details["challenger"]["rmse"] == pytest.approx(0.15)
    assert json.loads(last.previous) == first.key().value()
    ends = [line for line in lines(desk, "canary.promote.log") if "event" in line]
    assert [line["event"] for line in ends] == ["promoted"]
    assert next(lines(desk, "validator.promote.log"))["version"] == "pred_b"
    promotion = next(lines(desk, "promotion.log"))
    assert {"model_name", "version", "elapsed_ms"} <= promotion.keys()
    assert told(desk) == ["promoted"]
    assert "orch_promotion_ms" in (desk.metrics / "orch_promotion_ms.prom").read_text()


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (worse(), "worse"),
        (Observation(arm(0.2), arm(0.1, 3)), "too_few_events"),
        (Observation(arm(0.2), replace(arm(0.1), replies=50, failed=30)), "serving_errors"),
        (Observation(arm(0.2), arm(0.203)), "not_shown_to_be_no_worse"),
        (Observation(), "too_few_events"),
    ],
)
def test_any_other_is_rolled_back(
    desk: Desk, pair: tuple[Stored, Stored], seen: Observation, reason: str
) -> None:
    first, second = pair
    done = promote(desk, second, first, PLAN, lambda: seen)
    assert (done.event, done.reason) == ("rolled_back", reason)
    entry = desk.keys.get(model_key("pred"))
    assert entry is not None and entry.version == 1 and ModelKey.of(entry.value) == first.key()
    canary = desk.keys.get(canary_key("pred"))
    assert canary is not None and canary.value["share"] == 0
    assert events(desk)[-1] == "rolled_back"
    assert desk.ledger.events("pred")[-1].reason == reason
    assert told(desk) == ["rolled_back"]


def test_the_lake_is_what_is_looked_at(desk: Desk, pair: tuple[Stored, Stored]) -> None:
    first, second = pair

    def ingest() -> None:
        now = time.time()
        write_forecasts(desk.lake, now, first.served, 30, 0.30, seed=1)
        write_forecasts(desk.lake, now, second.served, 25, 0.20, seed=2)

    done = promote(desk, second, first, replace(PLAN, tick=ingest))
    assert done.promoted and done.observed is not None
    assert done.observed.challenger.conversations == 25


@pytest.mark.spec("TVE-I-03")
def test_a_value_model_is_promoted_after_its_canary(desk: Desk, version: Version) -> None:
    first, second = version("tve_a", "tve"), version("tve_b", "tve")
    desk.keys.put(model_key("tve"), first.key().value())

    def ingest() -> None:
        now = time.time()
        write_curves(desk.lake, now, first.served, 200, 0.30, seed=1)
        write_curves(desk.lake, now, second.served, 200, 0.10, seed=2)

    plan = replace(PLAN, share=0.05, tick=ingest, rules=Rules(conversations=20, rows=200))
    assert promote(desk, second, first, plan).promoted
    shares = [line["share"] for line in lines(desk, "canary.promote.log") if "share" in line]
    assert shares == [0.05]
    assert next(lines(desk, "validator.promote.log"))["event"] == "promoted"


@pytest.mark.spec("ORC-I-03")
@pytest.mark.parametrize(("gate", "why"), [(None, "no_gate"), ("rmse: 0.9", "gate_failed")])
def test_without_a_passed_gate_nothing_begins(
    desk: Desk, version: Version, gate: str | None, why: str
) -> None:
    first, second = version("pred_a"), version("pred_b", gate=gate)
    desk.keys.put(model_key("pred"), first.key().value())
    done = promote(desk, second, first, PLAN, better)
    assert (done.event, done.reason) == ("refused", why)
    assert desk.keys.model("pred") == first.key() and desk.keys.get(canary_key("pred")) is None
    assert told(desk) == ["refused"]


@pytest.mark.parametrize("seen", [worse(), better()])
def test_a_rehearsal_never_ends_in_a_promotion(
    desk: Desk, version: Version, seen: Observation
) -> None:
    first, second = version("pred_a"), version("pred_b", gate="rmse: 0.9")
    desk.keys.put(model_key("pred"), first.key().value())
    done = promote(desk, second, first, PLAN, lambda: seen, rehearsal=True)
    assert done.event == "rolled_back"
    assert done.reason == ("gate_failed" if seen == better() else "worse")
    assert "canary_on" in events(desk) and desk.keys.model("pred") == first.key()
    assert promote(desk, second, None, PLAN, rehearsal=True).event == "refused"


def test_the_live_version_is_not_promoted_again(desk: Desk, pair: tuple[Stored, Stored]) -> None:
    assert promote(desk, pair[0], pair[0], PLAN, better).reason == "already_live"


def test_a_first_version_needs_no_canary(desk: Desk, version: Version) -> None:
    only = version("pred_a")
    assert promote(desk, only, None, PLAN).promoted
    assert desk.keys.model("pred") == only.key() and desk.keys.get(canary_key("pred")) is None


def test_the_shipped_version_is_the_first_champion(
    desk: Desk, settings: PipelineSettings, version: Version
) -> None:
    shipped = champion("pred", desk.keys, desk.artefacts, settings)
    assert shipped is not None and shipped.version.startswith("pred_shipped_")
    assert champion("pred", desk.keys, desk.artefacts, settings) == shipped
    assert champion("axes", desk.keys, desk.artefacts, settings) is None
    assert promote(desk, version("pred_b"), shipped, PLAN, better).promoted
    assert rollback(desk, "pred") == shipped
