# SPDX-License-Identifier: Apache-2.0
"""Kernels measured on recorded sessions: the shipped file, and how it is made."""

from __future__ import annotations

import numpy as np
import pytest

from bls.errors import SkynetError
from bls.phantom.recorded import write_sessions
from bls.phantom.session import Session, SessionEvent
from pipelines_dagster.phantom.market import measured
from pipelines_dagster.phantom.market.behaviour import bank_of, built_in
from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.market.contamination import contaminate
from pipelines_dagster.phantom.market.env import MarketVecEnv

pytestmark = pytest.mark.spec("PH-08")


def _sessions() -> list[Session]:
    events = (SessionEvent("search", "", 1), SessionEvent("view_item", "h1", 2))
    people = [
        Session(f"p{one}", "hotel", 1, events, label="synthetic", origin="x", actor="human")
        for one in range(5)
    ]
    unknown = Session("u", "hotel", 1, events)
    return [unknown, *contaminate(people, 0.5, built_in(), seed=1)]


def test_shipped_kernels_make_a_market():
    like = measured.drivers()
    config = like.config(MarketConfig(products=2, sessions=5, bank=256))
    assert config.visits == like.visits
    assert min(like.sessions) >= 1000
    bank = bank_of(config, like.behaviour, 0)
    better = (bank.agent[1][:, None] > bank.agent[0][None]).mean()
    assert 0.8 < better < 0.999  # people and agents overlap
    env = MarketVecEnv(config, 2, behaviour=like.behaviour)
    env.reset()
    assert np.isfinite(env.step(np.full((2, 2), 4))[1]).all()


def test_measures_files(tmp_path, capsys):
    file, out = tmp_path / "s.jsonl.gz", tmp_path / "b.json"
    write_sessions(file, _sessions())
    assert measured.main([str(file), "--out", str(out)]) == 0
    assert "5 person-like and 5 agent sessions" in capsys.readouterr().out
    found = measured.read(out)
    again = measured.measure(_sessions())
    assert found.visits == pytest.approx(again.visits, abs=0.01)
    assert found.behaviour.kernels == pytest.approx(again.behaviour.kernels, abs=1e-5)


def test_faults_are_told(tmp_path, capsys):
    assert measured.main([str(tmp_path / "none"), "--out", str(tmp_path / "b")]) == 1
    assert "unreadable_sessions" in capsys.readouterr().out
    broken = tmp_path / "broken.json"
    for text in ("{", "{}", '{"kernels": 1, "first": 1, "visits": [], "sessions": []}'):
        broken.write_text(text)
        with pytest.raises(SkynetError) as refused:
            measured.read(broken)
        assert refused.value.code == "bad_behaviour"
