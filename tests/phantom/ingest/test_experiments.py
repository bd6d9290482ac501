# SPDX-License-Identifier: Apache-2.0
"""Experiments as the key store has them: shares, days, and what is none."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bls.errors import SkynetError
from bls.keys.folder import FolderStore
from bls.keys.publish import Publisher
from bls.phantom.experiments import KEY, Experiments, read_experiments
from client.commands.phantom import phantom
from tests.phantom.ingest.governed import RUNNING

pytestmark = pytest.mark.spec("PH-01")


def test_shares_are_kept_and_experiments_are_independent() -> None:
    told = [RUNNING, RUNNING | {"name": "other_one", "mode": "airline"}]
    known: Experiments = read_experiments({"experiments": told})
    sids = [f"s-{number}" for number in range(4_000)]
    one, two = known.known.values()
    counts = Counter((one.condition(sid), two.condition(sid)) for sid in sids)
    static = sum(count for pair, count in counts.items() if pair[0] == "static")
    assert abs(static / len(sids) - 0.25) < 0.03
    assert abs(counts["static", "static"] / static - 0.25) < 0.06


def test_the_last_day_counts_and_the_next_does_not() -> None:
    day = RUNNING | {"first": "2026-11-20", "last": "2026-11-22"}
    known = read_experiments({"experiments": [day]})
    noon = 1_795_348_800.0  # 2026-11-22 12:00 UTC
    assert known.assign("s", "hotel", noon)[0] == RUNNING["name"]
    assert known.assign("s", "hotel", noon + 86_400) == ("", "")
    assert known.assign("s", "hotel", noon - 3 * 86_400) == ("", "")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"conditions": {"static": 0.5}}, "shares"),
        ({"conditions": {"static": 1.5, "learned": -0.5}}, "shares"),
        ({"conditions": {}}, "conditions"),
        ({"first": "2026-13-01"}, "first"),
        ({"first": "2030-01-01", "last": "2029-01-01"}, "ends before"),
        ({"mode": "boats"}, "mode"),
        ({"name": "Two Words"}, "name"),
        ({"extra": 1}, "extra"),
    ],
)
def test_what_is_no_experiment(change: dict[str, Any], why: str) -> None:
    with pytest.raises(SkynetError, match=why) as caught:
        read_experiments({"experiments": [RUNNING | change]})
    assert caught.value.code == "bad_experiments"


def test_experiments_that_would_mix() -> None:
    other = RUNNING | {"name": "other_one", "first": "2050-01-01"}
    with pytest.raises(SkynetError, match="run in one mode on one day"):
        read_experiments({"experiments": [RUNNING, other]})
    with pytest.raises(SkynetError, match="twice"):
        read_experiments({"experiments": [RUNNING, RUNNING | {"mode": "airline"}]})
    with pytest.raises(SkynetError):
        read_experiments({"experiment": []})


def test_experiments_are_published_and_listed(tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "keys"))
    file = tmp_path / "experiments.json"

    def run(*words: str) -> Result:
        env = {"SKYNET_STATE": str(tmp_path)}
        return CliRunner().invoke(phantom, ["experiments", *words, *store], env=env)

    assert run().output == "none\n"
    file.write_text(json.dumps({"experiments": [RUNNING]}))
    assert run("--publish", str(file)).output.startswith("version 1,")
    assert "static 0.25, learned 0.75" in run().output
    file.write_text(json.dumps({"experiments": [RUNNING | {"mode": "boats"}]}))
    assert "Not a value" in str(run("--publish", str(file)).exception)
    file.write_text("[]")
    assert "no JSON object" in str(run("--publish", str(file)).exception)
    other = FolderStore(tmp_path / "keys")
    Publisher(other, None).publish(KEY, {"experiments": 1}, None)
    other.close()
    assert "does not count" in str(run().exception)
