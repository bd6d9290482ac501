# SPDX-License-Identifier: Apache-2.0
"""session_price: the graph is the policy, its folder says what it is, and one ships."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from bls.contracts import MULTIPLIERS, SESSION_PRICE
from export.model_manifest import ModelManifest
from export.session_price import graph, parity
from export.session_price.__main__ import main
from export.session_price.artefact import MODEL_FILE, SHIPPED
from export.session_price.runtime import OnnxPrice
from pipelines_dagster.phantom.policies.policy import LEVELS, STATE, Origin
from pipelines_dagster.phantom.policies.rules import Static
from pipelines_dagster.phantom.policies.saved import write_policy
from tests.phantom.policies.test_policies import network

ORIGIN = Origin("ppo", "conditional", 4, 10)


@pytest.mark.spec("PH-10")
def test_the_graph_is_the_policy() -> None:
    policy = network(3)
    blob = graph.build(policy).SerializeToString(deterministic=True)
    assert blob == graph.build(policy).SerializeToString(deterministic=True)
    found = parity.check(policy, blob)
    assert found.differ == found.alone == 0 and found.ties < found.rows / 20
    state = parity.states(500, 1)
    served = OnnxPrice(blob).run(state)[:, 0]
    mine = LEVELS.astype(np.float32)[policy.scores(state).argmax(axis=1)]
    assert (served == mine).mean() > 0.99  # near ties aside
    strange = np.full((1, STATE), np.nan, np.float32)
    assert OnnxPrice(blob).run(strange)[0, 0] in np.float32(MULTIPLIERS)


def test_the_graph_keeps_the_contract() -> None:
    built = graph.build(network()).graph
    (took,), (gave,) = built.input, built.output
    assert [took.name, gave.name] == [SESSION_PRICE.inputs[0].name, SESSION_PRICE.outputs[0].name]
    sizes = [one.type.tensor_type.shape.dim[1].dim_value for one in (took, gave)]
    assert (sizes[0],) == SESSION_PRICE.inputs[0].dims
    assert (sizes[1],) == SESSION_PRICE.outputs[0].dims


@pytest.mark.spec("PH-10")
def test_the_command_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = {"metrics": {"objective_gain_0.3": 0.1}, "market": {}, "created_by": "x", "git": "y"}
    write_policy(tmp_path / "p", network(), ORIGIN, config)
    out = tmp_path / "m"
    assert main(["--policy", str(tmp_path / "p"), "--out", str(out), "--version", "7"]) == 0
    manifest = ModelManifest.load(out)
    assert manifest.version == "7" and manifest.seed == 4
    assert manifest.details["state"][0] == "DEMAND"
    assert "conditional" in (out / "MODEL_CARD.md").read_text()
    assert json.loads(capsys.readouterr().out) == config["metrics"]


@pytest.mark.spec("PH-10")
def test_the_command_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--policy", str(tmp_path / "p"), "--out", str(tmp_path / "m")]
    assert main(asked) == 2 and "no_policy" in capsys.readouterr().err
    write_policy(tmp_path / "p", Static(), ORIGIN, {})
    assert main(asked) == 2 and "not_exportable" in capsys.readouterr().err


def test_parity_that_fails_says_so() -> None:
    blob = graph.build(network(1)).SerializeToString(deterministic=True)
    with pytest.raises(Exception, match="parity_failed"):
        parity.check(network(2), blob)


@pytest.mark.spec("PH-16")
def test_the_shipped_model_is_whole_and_safe() -> None:
    manifest = ModelManifest.load(SHIPPED)
    assert manifest.name == SESSION_PRICE.name
    onnx.checker.check_model(onnx.load(SHIPPED / MODEL_FILE), full_check=True)
    served = OnnxPrice(SHIPPED / MODEL_FILE)
    prices = served.run(parity.states(2000, 2))
    assert set(prices.ravel()) <= set(np.float32(MULTIPLIERS))
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.onnx")) < 100_000
