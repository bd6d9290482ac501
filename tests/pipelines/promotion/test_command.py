# SPDX-License-Identifier: Apache-2.0
"""The command, and the keys a promotion writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bls.keys import private
from bls.keys.folder import FolderStore
from bls.keys.signing import TrustedKeys
from bls.models.model_key import model_key
from pipelines_dagster.defs.promotion.__main__ import main
from pipelines_dagster.defs.promotion.desk import Desk, open_desk
from pipelines_dagster.defs.promotion.promote import Outcome, promote
from pipelines_dagster.registry import mlflow_registry
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.settings import PipelineSettings
from tests.pipelines.promotion.rig import PLAN, Names, better


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
    names = Names()
    monkeypatch.setattr(mlflow_registry, "open_registry", lambda given: names)
    assert main(["rollback", "pred"]) == 0
    assert names.best == pair[0]
    assert "pred_a is live again" in capsys.readouterr().out
    assert main(["rollback", "pred"]) == 1
