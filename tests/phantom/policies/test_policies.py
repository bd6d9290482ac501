# SPDX-License-Identifier: Apache-2.0
"""Policies: one interface, an item at a time, written and read back without a pickle."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bls.contracts import MULTIPLIERS, PriceState
from bls.errors import SkynetError
from pipelines_dagster.phantom.policies.network import Layer, NetworkPolicy
from pipelines_dagster.phantom.policies.policy import BASE, F32, STATE, Origin, Policy, rows
from pipelines_dagster.phantom.policies.qtable import CELLS, TableLearner, TablePolicy, cells
from pipelines_dagster.phantom.policies.rules import DOWN, UP, Static, Surge
from pipelines_dagster.phantom.policies.saved import CONFIG, WEIGHTS, read_policy, write_policy
from pipelines_dagster.phantom.policies.scaling import scaled, seen

ORIGIN = Origin("ppo", "none", 0, 1)


def observations(markets: int, products: int, seed: int = 0) -> F32:
    draw = np.random.default_rng(seed)
    return draw.uniform(0, 2, (markets, products * STATE)).astype(np.float32)


def network(seed: int = 0) -> NetworkPolicy:
    draw = np.random.default_rng(seed)
    sizes = ((STATE, 4), (4, len(MULTIPLIERS)))
    layers = [
        Layer(draw.normal(0, 2, size).astype(np.float32), draw.normal(0, 1, size[1]).astype("f4"))
        for size in sizes
    ]
    return NetworkPolicy(tuple(layers), np.ones(STATE, np.float32))


def table(seed: int = 0) -> TablePolicy:
    values = np.random.default_rng(seed).normal(0, 1, (CELLS, len(MULTIPLIERS)))
    return TablePolicy(values, conditional=True)


ALL = [Static(), Surge(), network(), table()]


@pytest.mark.parametrize("policy", ALL, ids=lambda each: type(each).__name__)
def test_a_policy_serves_any_catalogue_and_does_not_mind_the_order(policy: Policy) -> None:
    for products in (1, 5, 40):
        seen_by = observations(6, products)
        levels = policy.act(seen_by)
        assert levels.shape == (6, products)
        assert levels.min() >= 0 and levels.max() < len(MULTIPLIERS)
        turned = seen_by.reshape(6, products, STATE)[:, ::-1].reshape(6, -1)
        assert (policy.act(turned) == levels[:, ::-1]).all()


@pytest.mark.parametrize("policy", ALL, ids=lambda each: type(each).__name__)
def test_what_was_written_is_read_back(policy: Policy, tmp_path: Path) -> None:
    write_policy(tmp_path, policy, ORIGIN, {"note": 1})
    again, origin, config = read_policy(tmp_path)
    assert origin == ORIGIN and config == {"note": 1} and type(again) is type(policy)
    assert (again.act(observations(9, 7)) == policy.act(observations(9, 7))).all()
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}


def test_a_folder_that_is_no_policy_is_refused(tmp_path: Path) -> None:
    def refused() -> str:
        with pytest.raises(SkynetError) as caught:
            read_policy(tmp_path)
        return caught.value.code

    assert refused() == "no_policy"
    write_policy(tmp_path, network(), ORIGIN, {})
    told = json.loads((tmp_path / CONFIG).read_text())
    for change in ({"kind": "magic"}, {"schema": 2}, {"sha256": "0" * 64}, {"origin": {}}):
        (tmp_path / CONFIG).write_text(json.dumps(told | change))
        assert refused() == "bad_policy"
    (tmp_path / CONFIG).write_text("{")
    assert refused() == "bad_policy"
    (tmp_path / CONFIG).write_text(json.dumps(told))
    (tmp_path / WEIGHTS).write_bytes(b"another")
    assert refused() == "bad_policy"


def test_the_surge_rule() -> None:
    state = np.zeros((3, STATE), np.float32)
    state[:, PriceState.DEMAND] = [2.0, 1.0, 0.1]
    assert Surge().act(state.reshape(1, -1)).tolist() == [[UP, BASE, DOWN]]
    with pytest.raises(SkynetError):
        Surge(high=0.5, low=0.6)


def test_only_a_conditional_policy_sees_who_is_there() -> None:
    state = observations(1, 30).reshape(-1, STATE)
    other = state.copy()
    other[:, [PriceState.AGENT, PriceState.EVENTS, PriceState.QUOTES]] = 0.9
    for kind in ("none", "grid", "w1"):
        assert (scaled(state, seen(kind)) == scaled(other, seen(kind))).all()
    mask = seen("conditional")
    assert mask[PriceState.AGENT] and not mask[PriceState.EVENTS]
    assert (cells(state, False) == cells(other, False)).all()
    assert (cells(state, True) != cells(other, True)).any()


def test_a_strange_state_stays_within_the_networks_range() -> None:
    state = np.array([[np.nan] * STATE, [np.inf] * STATE, [-np.inf] * STATE], np.float32)
    assert np.abs(scaled(state, np.ones(STATE, np.float32))).max() <= 1 + 1e-6


def test_refusals() -> None:
    with pytest.raises(SkynetError) as refused:
        rows(np.zeros((2, 9), np.float32))
    assert refused.value.code == "bad_observation"
    with pytest.raises(SkynetError):
        Origin("best", "none", 0, 1)  # type: ignore[arg-type]
    with pytest.raises(SkynetError):
        TablePolicy(np.zeros((2, 2)), conditional=False)
    bad = Layer(np.full((STATE, 9), np.nan, np.float32), np.zeros(9, np.float32))
    with pytest.raises(SkynetError):
        NetworkPolicy((bad,), np.ones(STATE, np.float32))
    with pytest.raises(SkynetError):
        NetworkPolicy((network().layers[0],), np.ones(STATE, np.float32))


@pytest.mark.spec("PH-10")
def test_a_table_learns_the_better_level() -> None:
    learner, draw = TableLearner(conditional=False, seed=0), np.random.default_rng(0)
    state = np.ones((64, STATE), np.float32)
    ended = np.zeros(64, bool)
    for step in range(120):
        levels = learner.explore(state, step / 120)
        learner.learn(
            state, levels, np.where(levels == 7, 1.0, draw.normal(0, 1, 64)), state, ended
        )
    assert set(learner.policy().act(state.reshape(8, -1)).ravel()) == {7}
