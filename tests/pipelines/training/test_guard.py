# SPDX-License-Identifier: Apache-2.0
"""`models/guard`: its data, its version, its gate."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from bls.errors import SkynetError
from pipelines_dagster.defs.promotion import gates
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.promotion.validation import validate
from pipelines_dagster.defs.training import guard
from pipelines_dagster.defs.training.run import train_one
from pipelines_dagster.settings import PipelineSettings
from tests.export.guard.test_build import CONFIG, write_data


def test_without_labelled_texts_nothing_is_trained(
    settings: PipelineSettings, desk: Desk, tmp_path: Path
) -> None:
    with pytest.raises(SkynetError) as refused:
        train_one("guard", settings, desk)
    assert refused.value.code == "no_data"


def test_a_version_is_stored_and_a_poor_one_does_not_pass(
    settings: PipelineSettings, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(guard.PROFILES, "quick", CONFIG)
    data = write_data(tmp_path / "data")
    event = train_one("guard", replace(settings, guard_data=str(data)), desk)
    assert event.stored.subsystem == "guard"
    assert not validate(event, settings, desk).passed


def test_the_gate() -> None:
    good = dict.fromkeys(gates.GUARD_MOST, 0.0)
    assert gates.guard("guard_1", good).passed
    for name in good:
        assert not gates.guard("guard_1", good | {name: 1.0}).passed
        assert not gates.guard("guard_1", good | {name: math.nan}).passed
    assert not gates.guard("guard_1", {}).passed
