# SPDX-License-Identifier: Apache-2.0
"""A promotion from its gate to the key, each way it can end, and what a crash leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bls.errors import SkynetError
from bls.keys import private
from bls.keys.folder import FolderStore
from bls.keys.signing import TrustedKeys
from bls.models.model_key import ModelKey, canary_key, model_key
from bls.settings import REPOSITORY
from export.manifest import MANIFEST_NAME, file_sha256
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.__main__ import main
from pipelines_dagster.defs.promotion.arms import Arm, Observation, Rules
from pipelines_dagster.defs.promotion.champion import champion
from pipelines_dagster.defs.promotion.desk import Desk, open_desk
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.defs.promotion.lock import locked
from pipelines_dagster.defs.promotion.promote import Outcome, Plan, promote
from pipelines_dagster.defs.promotion.recover import resume, rollback
from pipelines_dagster.defs.promotion.sensors import resume_all
from pipelines_dagster.registry import mlflow_registry
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.registry.store import local_path
from pipelines_dagster.settings import PipelineSettings
from tests.pipelines.promotion.conftest import Version
from tests.pipelines.promotion.lake_rows import write_curves, write_forecasts

PLAN = Plan(share=0.25, watch_s=0.3, poll_s=0.05, rules=Rules(conversations=20, rows=400))


def arm(rmse: float, conversations: int = 100) -> Arm:
    return Arm(4000, conversations, rmse**2, (0.01 * rmse**2) ** 2)


def better() -> Observation:
    return Observation(arm(0.20), arm(0.15))


def worse() -> Observation:
    return Observation(arm(0.20), arm(0.25))


def lines(desk: Desk, stream: str) -> Iterator[dict[str, object]]:
    path = desk.streams.folder / stream
    yield from map(json.loads, path.read_text().splitlines() if path.is_file() else ())


def told(desk: Desk) -> list[str]:
    return [str(line["kind"]) for line in lines(desk, "notify.log")]


def events(desk: Desk, subsystem: str = "pred") -> list[str]:
    return [event.event for event in desk.ledger.events(subsystem)]


@pytest.fixture
def pair(desk: Desk, version: Version) -> tuple[Stored, Stored]:
    """(champion with its key, challenger that has passed its gate)."""
    first, second = version("pred_a"), version("pred_b")
    desk.keys.put(model_key("pred"), first.key().value())
    return first, second


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


def test_a_spoilt_artefact_never_serves(desk: Desk, pair: tuple[Stored, Stored]) -> None:
    first, second = pair
    (local_path(second.uri) / "model.onnx").write_bytes(b"other")
    with pytest.raises(SkynetError, match="not as it was made"):
        promote(desk, second, first, PLAN, better)
    assert events(desk)[-1] == "rolled_back"
    assert desk.ledger.events("pred")[-1].reason == "bad_artefact"
    assert desk.keys.model("pred") == first.key() and desk.keys.get(canary_key("pred")) is None


def test_a_fault_while_watching_ends_the_canary(desk: Desk, pair: tuple[Stored, Stored]) -> None:
    first, second = pair

    def look() -> Observation:
        raise SkynetError("no_table", "gone", 500)

    with pytest.raises(SkynetError, match="gone"):
        promote(desk, second, first, PLAN, look)
    assert desk.keys.canary("pred") is None and desk.keys.model("pred") == first.key()
    assert desk.ledger.events("pred")[-1].reason == "no_table"


class _Down:
    """A registry that is not there."""

    def champion(self, stored: Stored) -> None:
        raise ConnectionError

    challenger = unmark = champion


def test_a_dead_registry_does_not_stop_a_promotion(desk: Desk, pair: tuple[Stored, Stored]) -> None:
    first, second = pair
    assert promote(replace(desk, aliases=_Down()), second, first, PLAN, better).promoted
    assert told(desk) == ["registry_behind", "registry_behind", "promoted"]


class _Names:
    """A registry that remembers who has which alias."""

    def __init__(self) -> None:
        self.name: Stored | None = None
        self.best: Stored | None = None

    def champion(self, stored: Stored) -> None:
        self.best = stored
        self.unmark(stored)

    def challenger(self, stored: Stored) -> None:
        self.name = stored

    def unmark(self, stored: Stored) -> None:
        self.name = None if self.name == stored else self.name


def test_who_was_rolled_back_is_no_challenger(desk: Desk, pair: tuple[Stored, Stored]) -> None:
    first, second = pair
    names = _Names()
    seen: list[Stored | None] = []

    def look() -> Observation:
        seen.append(names.name)
        return worse()

    assert not promote(replace(desk, aliases=names), second, first, PLAN, look).promoted
    assert seen[0] == second and names.name is None


def test_one_at_a_time(desk: Desk, pair: tuple[Stored, Stored]) -> None:
    first, second = pair
    quick = replace(desk, locks=desk.locks)
    with locked(desk.locks, "pred"):
        with pytest.raises(SkynetError, match="under way"), locked(desk.locks, "pred", 0.1):
            pass
        assert resume_all(quick) == []  # left alone, no fault
    assert promote(desk, second, first, PLAN, better).promoted


_CHILD = """
    import os, signal, sys
    from pipelines_dagster.defs.promotion import promote as p
    from pipelines_dagster.defs.promotion import recover
    from pipelines_dagster.defs.promotion.desk import open_desk
    from pipelines_dagster.defs.promotion.champion import champion
    from pipelines_dagster.settings import load_pipeline_settings
    from tests.pipelines.promotion.test_promote import PLAN, better

    settings = load_pipeline_settings()
    desk = open_desk(settings)
    wanted = sys.argv[1]

    def die(step):
        if step == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    append, put = desk.ledger.append, desk.keys.store.put

    def appended(event):
        append(event)
        die(event.event)

    def kept(entry):
        put(entry)
        if entry.key == "/pred/model":
            die("key")
        else:
            die("serving" if entry.value["share"] else "canary_off")

    desk.ledger.append = appended
    desk.keys.store.put = kept
    stored = [e.stored for e in desk.ledger.events("pred") if e.stored.version == "pred_b"][0]
    first = champion("pred", desk.keys, desk.artefacts, settings)
    p.promote(desk, stored, first, PLAN, better)
"""


@pytest.mark.parametrize("step", ["serving", "key"])
def test_a_process_killed_at_a_step_is_recovered(
    desk: Desk, settings: PipelineSettings, pair: tuple[Stored, Stored], step: str
) -> None:
    first, second = pair
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY),
        "SKYNET_STATE": str(settings.serving.state),
        "SKYNET_PIPELINES_WEBHOOK": "log",
    }
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_CHILD), step],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    canary = desk.keys.canary("pred")
    assert canary is not None and canary.sha256 == second.sha256  # it is being served
    assert resume_all(desk) == ["pred_b"]
    assert desk.keys.canary("pred") is None
    live = second if step == "key" else first
    assert desk.keys.model("pred") == live.key()
    assert events(desk)[-1] == ("promoted" if step == "key" else "rolled_back")
    assert resume_all(desk) == []  # once


@pytest.mark.parametrize("last", [log.STARTED, log.CANARY_ON, log.OBSERVED, log.PROMOTING])
def test_whatever_step_was_the_last_it_is_ended(
    desk: Desk, pair: tuple[Stored, Stored], last: str
) -> None:
    first, second = pair
    for step in (log.STARTED, log.CANARY_ON, log.OBSERVED, log.PROMOTING):
        desk.ledger.append(Event("attempt", step, second, json.dumps(first.key().value())))
        if step == last:
            break
    if last != log.STARTED:
        desk.keys.put(canary_key("pred"), second.key(0.25).value())
    assert [event.event for event in resume(desk, "pred")] == [last]
    assert desk.keys.model("pred") == first.key() and desk.keys.canary("pred") is None
    assert desk.ledger.events("pred")[-1].reason == "crashed"
    assert desk.ledger.open_promotions("pred") == []
    assert promote(desk, second, first, PLAN, better).promoted  # may be tried again


def test_a_canary_that_nobody_knows_is_ended(desk: Desk, pair: tuple[Stored, Stored]) -> None:
    desk.keys.put(canary_key("pred"), pair[1].key(0.5).value())
    resume(desk, "pred")
    assert desk.keys.canary("pred") is None
    assert desk.ledger.events("pred")[-1].reason == "orphan"


def test_rollback_walks_back(desk: Desk, version: Version) -> None:
    a, b, c = (version(f"pred_{name}") for name in "abc")
    before = None
    for stored in (a, b, c):
        assert promote(desk, stored, before, PLAN, better).promoted
        before = stored
    assert rollback(desk, "pred", "it dreams") == b
    assert rollback(desk, "pred") == a
    key = desk.keys.get(model_key("pred"))
    assert key is not None and key.version == 5 and ModelKey.of(key.value) == a.key()
    with pytest.raises(SkynetError, match="no earlier version"):
        rollback(desk, "pred")
    assert events(desk)[-1] == "restored" and told(desk)[-1] == "restored"
    assert promote(desk, c, a, PLAN, better).promoted
    assert rollback(desk, "pred") == a


def test_rollback_to_files_that_are_gone_changes_nothing(
    desk: Desk, pair: tuple[Stored, Stored]
) -> None:
    first, second = pair
    assert promote(desk, second, first, PLAN, better).promoted
    (local_path(first.uri) / MANIFEST_NAME).unlink()
    with pytest.raises(SkynetError, match="not in the store"):
        rollback(desk, "pred")
    assert desk.keys.model("pred") == second.key()


def test_keys_are_signed_where_a_key_is_at_hand(
    settings: PipelineSettings, tmp_path: Path, pair: tuple[Stored, Stored]
) -> None:
    file = tmp_path / "operator.pem"
    private.create(file)
    signed = open_desk(replace(settings, signing_key=str(file)))
    assert promote(signed, pair[1], pair[0], PLAN, better).promoted
    entry = signed.keys.get(model_key("pred"))
    assert entry is not None
    TrustedKeys([private.load(file).public_key()]).verify(entry)


def test_a_version_servers_have_seen_is_passed(
    desk: Desk, settings: PipelineSettings, pair: tuple[Stored, Stored]
) -> None:
    """The key store was lost; a server remembers version 7 of the key."""
    kept = FolderStore(settings.serving.keys_kept)
    settings.serving.keys_kept.mkdir(parents=True)
    kept.put(replace(desk.keys.put(model_key("pred"), pair[0].key().value()), version=7))
    assert promote(desk, pair[1], pair[0], PLAN, better).key_version == 8


def test_the_command(
    desk: Desk,
    settings: PipelineSettings,
    pair: tuple[Stored, Stored],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SKYNET_STATE", str(settings.serving.state))
    assert main(["history", "pred"]) == 1
    assert "missing_secret" in capsys.readouterr().err
    monkeypatch.setenv("SKYNET_PIPELINES_WEBHOOK", "log")
    done: Outcome = promote(desk, pair[1], pair[0], PLAN, better)
    assert done.promoted
    assert main(["history", "pred"]) == 0
    assert "canary_on" in capsys.readouterr().out
    assert main(["resume"]) == 0
    names = _Names()
    monkeypatch.setattr(mlflow_registry, "open_registry", lambda given: names)
    assert main(["rollback", "pred"]) == 0
    assert names.best == pair[0]
    assert "pred_a is live again" in capsys.readouterr().out
    assert main(["rollback", "pred"]) == 1
