# SPDX-License-Identifier: Apache-2.0
"""The robustness harness's inputs."""

from __future__ import annotations

import numpy as np
import pytest

from bls.brain.features import W_FLOOR
from bls.errors import SkynetError
from pipelines_dagster.defs.market.attacks import TEN, series, windows
from pipelines_dagster.defs.market.params import ATTACKS

COUNT = 300


@pytest.mark.parametrize("attack", ATTACKS)
def test_windows_are_attacked_in_history_only(attack: str) -> None:
    made, again = windows(attack, COUNT, 1), windows(attack, COUNT, 1)
    assert np.array_equal(made.attacked, again.attacked)
    assert made.clean.shape == made.attacked.shape == (COUNT, 15)
    assert made.ctx.shape == (COUNT, 128) and np.all(made.token_idx >= 14)
    added = made.attacked - made.clean
    if attack != "bluff":
        assert np.all(added[:, -1] == 0)
    error = made.target - made.mean
    assert np.sqrt(np.mean(error**2)) == pytest.approx(np.sqrt(np.mean(made.sd**2)), rel=0.3)
    assert not np.array_equal(made.clean, windows(attack, COUNT, 2).clean)


def test_each_attack_has_its_shape() -> None:
    floor = np.log(W_FLOOR)
    spike = windows("spike", COUNT, 1)
    assert np.all((spike.attacked - spike.clean > 0).sum(axis=1) == 1)
    assert np.allclose((spike.attacked - spike.clean).max(axis=1), TEN)
    bluff = windows("bluff", COUNT, 1)
    assert np.allclose(bluff.attacked, np.maximum(bluff.clean - TEN, floor))
    silence = windows("silence", COUNT, 1)
    assert np.all((np.isclose(silence.attacked, floor)).sum(axis=1) >= 3)
    pump = windows("pump", COUNT, 1)
    assert np.allclose((pump.attacked - pump.clean).max(axis=1), np.log(5))
    drift = windows("drift", COUNT, 1)
    assert np.abs(drift.attacked - drift.clean).max() <= np.log(2)


def test_series_are_whole_conversations_of_the_scenario() -> None:
    made = series("silence", 20, 3)
    assert made.ctx.shape == (20, 128) and made.auctions.log_w.shape == (20, 65, 8)
    assert (made.auctions.regime >= 2).any()
    assert not (series("stationary", 20, 3).auctions.regime >= 2).any()


def test_an_unknown_attack_is_refused() -> None:
    with pytest.raises(SkynetError) as refused:
        windows("stationary", 1, 0)
    assert refused.value.code == "unknown_scenario"
