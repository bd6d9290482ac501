# SPDX-License-Identifier: Apache-2.0
"""What a crash leaves is ended; a promotion is walked back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from bls.errors import SkynetError
from bls.models.model_key import ModelKey, canary_key, model_key
from bls.settings import REPOSITORY
from export.manifest import MANIFEST_NAME
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.defs.promotion.promote import promote
from pipelines_dagster.defs.promotion.recover import resume, rollback
from pipelines_dagster.defs.promotion.sensors import resume_all
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.registry.store import local_path
from pipelines_dagster.settings import PipelineSettings
from tests.pipelines.promotion.conftest import Version
from tests.pipelines.promotion.rig import PLAN, better, events, told

_CHILD = """
    import os, signal, sys
    from pipelines_dagster.defs.promotion import promote as p
    from pipelines_dagster.defs.promotion import recover
    from pipelines_dagster.defs.promotion.desk import open_desk
    from pipelines_dagster.defs.promotion.champion import champion
    from pipelines_dagster.settings import load_pipeline_settings
    from tests.pipelines.promotion.rig import PLAN, better

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
