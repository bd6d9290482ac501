# SPDX-License-Identifier: Apache-2.0
"""Gates and canaries of the shop's models: what lets a version through, and what stops it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from onnx import helper, numpy_helper

from bls.contracts import MULTIPLIERS, PRICE_GRAPH
from bls.models.model_key import AGENT, PRICE, canary_key, model_key
from bls.models.onnx_model import OnnxModel
from bls.phantom.shop import catalogue
from bls.settings import Settings
from export.errors import ExportError
from pipelines_dagster.defs.promotion import figures_shop, gates, validation
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.arms import (
    Arm,
    Decision,
    Observation,
    Rules,
    decide,
)
from pipelines_dagster.defs.promotion.assets import CanaryConfig
from pipelines_dagster.defs.promotion.champion import champion
from pipelines_dagster.defs.promotion.desk import Desk, open_desk
from pipelines_dagster.defs.promotion.figures_shop import (
    SHARES,
    base_figures,
    gained,
    objectives,
    price_figures,
    states,
)
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.defs.promotion.live import in_canary, observer
from pipelines_dagster.defs.promotion.promote import Plan, promote
from pipelines_dagster.defs.promotion.recover import rollback
from pipelines_dagster.defs.promotion.validation import validate
from pipelines_dagster.settings import PipelineSettings
from tests.phantom.pricing.stub import STATE, graph, linear, write_version

pytestmark = pytest.mark.spec("PH-12")
ONE, OTHER = "1" * 16, "2" * 16


@pytest.mark.parametrize(
    ("auc", "ece", "right"),
    [(0.90, 0.05, True), (0.95, 0.06, True), (0.8999, 0.05, False), (0.9, 0.0601, False)],
)
def test_an_agent_score_is_no_worse_than_the_champion(auc: float, ece: float, right: bool) -> None:
    before = {"auc_low": 0.90, "ece": 0.05}
    figures = {"low": 0.0, "high": 1.0, "auc_low": auc, "ece": ece}
    assert gates.agent("agent_1", figures, before).passed is right


@pytest.mark.parametrize("bad", [None, math.nan, "0.9", True])
@pytest.mark.parametrize("name", ["low", "high", "auc_low", "ece"])
def test_a_figure_that_is_none_fails(name: str, bad: Any) -> None:
    figures = {"low": 0.1, "high": 0.9, "auc_low": 0.9, "ece": 0.05}
    assert gates.agent("agent_1", figures, None).passed
    assert not gates.agent("agent_1", figures | {name: bad}, None).passed
    assert not gates.agent("agent_1", figures | {name: bad}, figures).passed
    assert not gates.agent("agent_1", figures, {}).passed


@pytest.mark.parametrize("odd", [{"low": -1e-6}, {"high": 1.000001}, {"high": math.inf}])
def test_a_score_that_is_no_probability_fails(odd: dict[str, float]) -> None:
    figures = {"low": 0.0, "high": 1.0, "auc_low": 1.0, "ece": 0.0}
    assert gates.agent("agent_1", figures, None).passed
    assert not gates.agent("agent_1", figures | odd, None).passed


def of_price(**changes: float) -> dict[str, float]:
    names = [f"objective_{share:g}" for share in SHARES]
    return {"low": 0.8, "high": 1.2} | dict.fromkeys(names, 0.0) | changes


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        ({}, True),
        ({"objective_0.8": -0.0099}, True),
        ({"objective_0.8": -0.0101}, False),
        ({"objective_0": math.nan}, False),
        ({"low": 0.79}, False),
        ({"high": 1.21}, False),
        ({"high": math.inf}, False),
    ],
)
def test_a_price_is_within_bounds_and_no_worse(changes: dict[str, float], right: bool) -> None:
    assert gates.price("price_1", of_price(**changes), SHARES).passed is right


def test_a_price_without_its_figures_fails() -> None:
    figures = of_price()
    del figures["objective_0.4"]
    assert not gates.price("price_1", figures, SHARES).passed


@pytest.fixture
def market() -> None:
    pytest.importorskip("pipelines_dagster.phantom.market.env")


@pytest.mark.usefixtures("market")
def test_figures_of_a_policy_against_itself_and_a_fire_sale(tmp_path: Path) -> None:
    same = write_version(tmp_path / "same", 1.0)
    cheap = write_version(tmp_path / "cheap", MULTIPLIERS[0])
    figures = price_figures(same, base_figures(None, "quick"), "quick")
    assert {figures[f"objective_{share:g}"] for share in SHARES} == {0.0}, "it is the base price"
    assert gates.price("price_1", figures, SHARES).passed
    assert not gates.price(
        "price_1", price_figures(cheap, base_figures(same, "quick"), "quick"), SHARES
    ).passed


@pytest.mark.parametrize("bias", [math.nan, 0.5])
def test_a_policy_out_of_bounds(tmp_path: Path, bias: float) -> None:
    weight = [0.0] * STATE
    weight[0] = 2.0
    folder = write_version(tmp_path / "wild", content=linear(weight, bias))
    figures = price_figures(folder, {}, "quick") if math.isnan(bias) else {"high": 2.0}
    assert not gates.price("price_1", figures, SHARES).passed


@pytest.mark.usefixtures("market")
def test_a_market_that_ended_earns_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the least multiplier the margin is under its floor: 5 steps, however many there are."""
    cheap = OnnxModel(write_version(tmp_path / "cheap", MULTIPLIERS[0]), PRICE_GRAPH)
    earned = []
    for steps in (5, 10):
        monkeypatch.setitem(figures_shop.STEPS, "quick", steps)
        earned.append(objectives(cheap, 0.0, "quick") * steps)
    np.testing.assert_allclose(earned[0], earned[1])


def test_a_trainer_compares_in_other_markets_than_the_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = set()

    def told(policy: object, share: float, profile: str, seed: int = figures_shop.SEED) -> Any:
        met.add(seed)
        return np.array([2.0])

    monkeypatch.setattr(figures_shop, "objectives", told)
    version = write_version(tmp_path / "a")
    assert gained(version, version, "quick") == 0 and figures_shop.SEED not in met


def test_a_folder_that_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(ExportError):
        price_figures(tmp_path, {}, "quick")
    with pytest.raises(ExportError):
        base_figures(tmp_path, "quick")


def test_states_are_drawn_the_same_for_every_version() -> None:
    assert states(100, 1).shape == (100, STATE) and np.isfinite(states(100, 1)).all()
    np.testing.assert_array_equal(states(100, 1), states(100, 1))


# from a gate to the key, and back


@pytest.fixture
def settings(tmp_path: Path) -> PipelineSettings:
    shipped = write_version(tmp_path / "shipped", 1.0)
    serving = Settings(state=tmp_path / "state", price_model=str(shipped))
    return PipelineSettings(serving, webhook="log", training="quick")


@pytest.fixture
def desk(settings: PipelineSettings) -> Desk:
    return open_desk(settings)


def offered(desk: Desk, folder: Path, name: str) -> Event:
    stored = desk.artefacts.put(PRICE, name, folder)
    event = Event(name, log.TRAINED, stored)
    desk.ledger.append(event)
    return event


def test_the_tolerance_of_a_price_is_its_own(settings: PipelineSettings) -> None:
    assert CanaryConfig().plan(settings, PRICE).rules.tolerance == 0.1
    assert CanaryConfig().plan(settings).rules.tolerance == Rules.tolerance


@pytest.mark.usefixtures("market")
def test_a_price_is_promoted_and_rolled_back(
    settings: PipelineSettings, desk: Desk, tmp_path: Path
) -> None:
    before = champion(PRICE, desk.keys, desk.artefacts, settings)
    assert before is not None and before.version.startswith("price_shipped_")
    event = offered(desk, write_version(tmp_path / "a", 1.0, "a"), "price_a")
    assert validate(event, settings, desk).passed
    plan = Plan(share=0.25, watch_s=0.2, poll_s=0.05, rules=Rules(conversations=20, rows=400))
    seen = Observation(Arm(500, 500, 10.0, 0.01), Arm(500, 500, 12.0, 0.01), earned=True)
    done = promote(desk, event.stored, before, plan, observe=lambda: seen)
    assert done.promoted
    live = desk.keys.model(PRICE)
    assert live is not None and live.sha256 == event.stored.sha256
    assert desk.keys.canary(PRICE) is None and desk.keys.get(canary_key(PRICE)) is not None
    rollback(desk, PRICE)
    live = desk.keys.model(PRICE)
    assert live is not None and live.sha256 == before.sha256


@pytest.mark.usefixtures("market")
def test_a_price_that_earns_less_never_meets_a_visitor(
    settings: PipelineSettings, desk: Desk, tmp_path: Path
) -> None:
    event = offered(desk, write_version(tmp_path / "b", MULTIPLIERS[0], "b"), "price_b")
    assert not validate(event, settings, desk).passed
    live = champion(PRICE, desk.keys, desk.artefacts, settings)
    assert promote(desk, event.stored, live, Plan(watch_s=0.1)).event == log.REFUSED
    assert desk.keys.get(model_key(PRICE)) is None


def broken() -> bytes:
    """A graph that keeps its contract and fails when it runs."""
    nodes = [
        helper.make_node("Reshape", ["STATE", "shape"], ["odd"]),
        helper.make_node("ReduceMean", ["odd"], ["MULTIPLIER"], axes=[1], keepdims=1),
    ]
    return graph(nodes, [numpy_helper.from_array(np.array([-1, 7], np.int64), "shape")])


@pytest.mark.usefixtures("market")
def test_a_graph_that_does_not_run_is_no_price(
    settings: PipelineSettings, desk: Desk, tmp_path: Path
) -> None:
    event = offered(desk, write_version(tmp_path / "c", version="c", content=broken()), "price_c")
    verdict = validate(event, settings, desk)
    assert not verdict.passed and verdict.failures == ["artefact: model_contract"]


@pytest.mark.parametrize("subsystem", [AGENT, PRICE])
def test_a_broken_champion_is_not_the_challengers_fault(
    subsystem: str,
    settings: PipelineSettings,
    desk: Desk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a challenger raises is a verdict on it, whatever it is; what the champion raises is
    none."""
    name = f"{subsystem}_d"
    stored = desk.artefacts.put(subsystem, name, write_version(tmp_path / "d", version="d"))
    event = Event(name, log.TRAINED, stored)
    live = tmp_path / "live"
    at_fault = {"folder": live}

    def measured(folder: Path | None, *_: object) -> dict[str, float]:
        if (folder == live) == (at_fault["folder"] == live):
            raise RuntimeError("onnxruntime")
        return {}

    for measure in ("agent_figures", "price_figures", "base_figures"):
        monkeypatch.setattr(validation, measure, measured)
    monkeypatch.setattr(validation, "held_rows", lambda *_: None)
    monkeypatch.setattr(validation, "_before", lambda *_: live)
    with pytest.raises(RuntimeError):
        validate(event, settings, desk)
    at_fault["folder"] = tmp_path
    assert validate(event, settings, desk).failures == ["artefact: unusable"]


def test_without_lake_rows_a_canary_has_seen_nothing(desk: Desk) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    for subsystem in ("agent", "price"):
        seen = observer(subsystem, desk.lake, since, (ONE, OTHER), 0.5)()
        assert seen.champion == Arm() and decide(seen, Rules(), over=True) is Decision.TOO_FEW


def test_a_canary_is_decided_by_what_the_lake_says(desk: Desk) -> None:
    """Sessions of two versions; the challenger's f(tau) is off by more, and its sessions buy."""
    since = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    item = next(iter(catalogue("hotel").items.values()))
    usual = {"ts": since + 5, "dt": "2026-01-01", "mode": "hotel", "item": item.item}
    acts, shown = [], []
    for number in range(80):
        sid = f"s{number}"
        mine = in_canary(sid, 0.5)
        version, error = (OTHER, 0.4) if mine else (ONE, 0.1 + number / 1000)
        who = {"session_id": sid, "label": "agent", "actor": "", "kind": "act"}
        act = {"action": "purchase" if mine else "view_item", "ts": since + 9}
        acts.append(usual | who | act | {"agent_probability": 1 - error, "agent_version": version})
        price = {"price_micros": item.base_micros, "version": version, "policy": "session_price"}
        shown.append(usual | {"session_id": sid} | price)
    desk.lake.append("bronze/session_events", pl.DataFrame(acts))
    desk.lake.append("bronze/session_prices", pl.DataFrame(shown))
    rules = Rules(conversations=20)
    agents = observer("agent", desk.lake, since, (ONE, OTHER), 0.5)()
    assert agents.champion.replies + agents.challenger.replies == 80
    assert decide(agents, rules, over=False) is Decision.WORSE
    prices = observer("price", desk.lake, since, (ONE, OTHER), 0.5)()
    assert prices.champion.mse == 0 < prices.challenger.mse and prices.earned
    assert prices.challenger.conversations == sum(in_canary(f"s{n}", 0.5) for n in range(80))
    assert prices.champion.failed == prices.challenger.failed == 0
    later = observer("price", desk.lake, since + 3600, (ONE, OTHER), 0.5)()
    assert later.champion == later.challenger == Arm()
