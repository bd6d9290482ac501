# SPDX-License-Identifier: Apache-2.0
"""Schemas only grow; this is the check that CI runs against the last release."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bls.errors import SkynetError
from bls.events.additive import check_additive, check_folder, main, release
from bls.events.schema import FOLDER, RELEASED
from bls.events.topics import TOPICS

Change = Callable[[dict[str, Any]], object]
TRACE = json.loads((FOLDER / "e2e.trace.avsc").read_text())
POLICY = json.loads((FOLDER / "auction.policy.avsc").read_text())


@pytest.mark.spec("ORC-U-02")
def test_todays_schemas_grow_out_of_the_released_ones() -> None:
    check_folder()
    assert {path.stem for path in FOLDER.glob("*.avsc")} == set(TOPICS)
    assert main([]) == 0


def test_a_copy_is_a_release(tmp_path: Path) -> None:
    release(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in FOLDER.iterdir()}
    check_folder(tmp_path)


def new(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "string", **more}


def lines(trace: dict[str, Any]) -> list[dict[str, Any]]:
    """Fields of the records inside."""
    found: list[dict[str, Any]] = trace["fields"][-1]["type"]["items"]["fields"]
    return found


@pytest.mark.spec("ORC-U-02")
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda s: s["fields"].pop(4), "lacks ts"),
        (lambda s: s["fields"][4].update(type="float"), "has another type"),
        (lambda s: s["fields"][4].update(type=["null", "double"]), "has another type"),
        (lambda s: s["fields"].append(new("device")), "new field without a default, device"),
        (lambda s: s.update(name="other"), "has another name"),
        (lambda s: lines(s).pop(), "lacks charge_micros"),
        (lambda s: lines(s)[1].update(type="long"), "lines.row has another type"),
        (lambda s: lines(s).append(new("device")), "new field without a default, device"),
    ],
)
def test_what_old_readers_could_not_take(change: Change, fault: str) -> None:
    changed = copy.deepcopy(TRACE)
    change(changed)
    with pytest.raises(SkynetError, match=fault) as caught:
        check_additive("e2e.trace", TRACE, changed)
    assert caught.value.code == "schema_violation"


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["fields"].append(new("device", default="")),
        lambda s: lines(s).append(new("device", default="")),
        lambda s: s["fields"][4].update(doc="Another comment."),
        lambda s: s["fields"].reverse(),
    ],
)
def test_what_may_change(change: Change) -> None:
    changed = copy.deepcopy(TRACE)
    change(changed)
    check_additive("e2e.trace", TRACE, changed)


def test_a_default_stays() -> None:
    changed = copy.deepcopy(POLICY)
    changed["fields"][-1].pop("default")
    with pytest.raises(SkynetError, match="replacement without its default"):
        check_additive("auction.policy", POLICY, changed)


def test_a_schema_that_is_gone_is_refused_and_releases_nothing(tmp_path: Path) -> None:
    (tmp_path / "old.topic.avsc").write_text(json.dumps(TRACE))
    for work in (check_folder, release):
        with pytest.raises(SkynetError, match="is gone"):
            work(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_the_command_refuses_other_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--force"]) == 2 and "usage" in capsys.readouterr().err
    assert RELEASED.is_dir()
