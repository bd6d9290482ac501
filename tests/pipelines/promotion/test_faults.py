# SPDX-License-Identifier: Apache-2.0
"""Files, registries and other promotions in the way of one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bls.errors import SkynetError
from bls.models.model_key import canary_key
from pipelines_dagster.defs.promotion.arms import Observation
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.promotion.lock import locked
from pipelines_dagster.defs.promotion.promote import promote
from pipelines_dagster.defs.promotion.sensors import resume_all
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.registry.store import local_path
from tests.pipelines.promotion.rig import PLAN, Names, better, events, told, worse


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


def test_who_was_rolled_back_is_no_challenger(desk: Desk, pair: tuple[Stored, Stored]) -> None:
    first, second = pair
    names = Names()
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
