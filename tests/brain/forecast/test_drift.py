# SPDX-License-Identifier: Apache-2.0
"""KS drift: the statistic, the window, and the alert of C-06 in simulated time."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bls.brain.forecast.drift import DriftMonitor, ks_uniform
from bls.jsonlog import JsonLog
from tests.brain.clock import Clock


@pytest.mark.parametrize("count", [1, 7, 2_000])
def test_the_statistic_is_scipys(count: int) -> None:
    sample = np.random.default_rng(count).beta(1.3, 0.8, count)
    assert ks_uniform(sample) == pytest.approx(stats.kstest(sample, "uniform").statistic)


def test_of_nothing_it_is_not_a_number() -> None:
    assert math.isnan(ks_uniform(np.array([])))


def drifted(rng: np.random.Generator, count: int, distance: float) -> np.ndarray:
    """Quantiles u^p, whose KS distance from uniform is `distance`: max of u^(1/p) - u."""
    powers = np.linspace(1, 4, 3_001)[1:]
    at = powers ** (powers / (1 - powers))
    distances = at ** (1 / powers) - at
    power = powers[np.argmin(np.abs(distances - distance))]
    return rng.random(count) ** power


@pytest.mark.spec("CBP-C-06")
@pytest.mark.parametrize("rate", [1, 8, 40])
def test_a_drift_of_a_fifth_is_told_within_five_minutes(rate: int, tmp_path: Path) -> None:
    """With one quantile a second as with forty; right forecasts before it tell nothing."""
    clock, log = Clock(), JsonLog(tmp_path, 100)
    monitor = DriftMonitor(log=log, clock=clock)
    rng = np.random.default_rng(rate)

    def second(quantiles: np.ndarray) -> bool:
        clock.pass_by(1)
        monitor.add(quantiles.tolist())
        monitor.check()
        return monitor.stats.alerts > 0

    assert not any(second(rng.random(rate)) for _ in range(900))
    told = [second(drifted(rng, rate, 0.2)) for _ in range(300)]
    assert any(told)
    print(f"{rate} quantiles/s: told after {told.index(True) + 1} s, ks {monitor.stats.ks:.3f}")
    log.close()
    line = json.loads((tmp_path / "alerts").read_text().splitlines()[0])
    assert line["alert"] == "KS_DRIFT_HIGH" and line["ks"] > line["threshold"] == 0.15


def test_a_drift_that_lasts_is_told_again_every_five_minutes_and_ends() -> None:
    clock = Clock()
    monitor = DriftMonitor(clock=clock)
    for _ in range(1_000):
        clock.pass_by(1)
        monitor.add([0.9, 0.95])
        monitor.check()
    assert monitor.stats.alerts == 4
    rng = np.random.default_rng(0)
    for _ in range(600):
        clock.pass_by(1)
        monitor.add(rng.random(4).tolist())
    assert monitor.check() < 0.15
    assert monitor.stats.alerts == 4


def test_too_few_quantiles_say_nothing() -> None:
    monitor = DriftMonitor(clock=Clock())
    monitor.add([0.99] * 199)
    assert math.isnan(monitor.check()) and monitor.stats.alerts == 0
    monitor.add([0.99])
    assert monitor.check() > 0.9 and monitor.stats.alerts == 1


def test_the_window_is_the_last_two_thousand_of_four_minutes() -> None:
    clock = Clock()
    monitor = DriftMonitor(clock=clock)
    monitor.add([0.5] * 3_000)
    monitor.check()
    assert monitor.stats.samples == 2_000
    clock.pass_by(241)
    monitor.check()
    assert monitor.stats.samples == 200, "the least there must be stays, however old"
