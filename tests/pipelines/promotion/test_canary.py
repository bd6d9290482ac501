# SPDX-License-Identifier: Apache-2.0
"""Figures of two versions out of the lake, and what they allow to decide."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipelines_dagster.defs.promotion.arms import Arm, Decision, Observation, Rules, decide
from pipelines_dagster.defs.promotion.live import in_canary, observer
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.promotion.lake_rows import write_curves, write_forecasts, write_replies

NOW = 1_795_000_000.0
NAMES = ("a" * 16, "b" * 16)
RULES = Rules(conversations=20, rows=400)


def test_predictor_arms_are_measured_as_they_were(tmp_path: object) -> None:
    lake = Lake(str(tmp_path))
    write_forecasts(lake, NOW, NAMES[0], 60, 0.30, seed=1)
    write_forecasts(lake, NOW, NAMES[1], 40, 0.10, seed=2)
    write_forecasts(lake, NOW - 100, NAMES[1], 40, 0.90, seed=3)  # before the canary
    write_forecasts(lake, NOW, "c" * 16, 40, 0.90, seed=4)  # neither version
    seen = observer("pred", lake, NOW - 1, NAMES, 0.05)()
    assert seen.champion.rows == 1200
    assert seen.challenger.conversations == 40
    assert seen.champion.rmse == pytest.approx(0.30, rel=0.06)
    assert seen.challenger.rmse == pytest.approx(0.10, rel=0.06)
    assert max(seen.champion.ks, seen.challenger.ks) < 0.05  # its sigma is right
    assert decide(seen, RULES, over=True) is Decision.PROMOTE


def test_variance_is_over_conversations(tmp_path: object) -> None:
    lake = Lake(str(tmp_path))
    write_forecasts(lake, NOW, NAMES[0], 400, 0.3, seed=1)
    arm = observer("pred", lake, NOW - 1, NAMES, 0.05)().champion
    alone = 2 * 0.3**4 / arm.rows  # of a mean of independent squared normals
    assert arm.variance == pytest.approx(alone, rel=0.35)


def test_value_arms(tmp_path: object) -> None:
    lake = Lake(str(tmp_path))
    write_curves(lake, NOW, NAMES[0], 300, 0.1, seed=1)
    write_curves(lake, NOW, NAMES[1], 300, 0.5, seed=2)
    seen = observer("tve", lake, NOW - 1, NAMES, 0.05)()
    assert seen.champion.rmse == pytest.approx(0.1, rel=0.15)
    assert seen.challenger.rmse == pytest.approx(0.5, rel=0.15)
    assert seen.champion.calibration == pytest.approx(1, abs=0.02)
    assert math.isnan(seen.champion.ks)
    assert decide(seen, RULES, over=True) is Decision.WORSE


def test_an_empty_lake_shows_nothing(tmp_path: object) -> None:
    for subsystem in ("pred", "tve"):
        seen = observer(subsystem, Lake(str(tmp_path)), NOW, NAMES, 0.05)()
        assert seen == Observation()
        assert decide(seen, RULES, over=False) is Decision.WAIT
        assert decide(seen, RULES, over=True) is Decision.TOO_FEW


def test_failed_replies_belong_to_the_arm_of_their_digest(tmp_path: object) -> None:
    lake = Lake(str(tmp_path))
    every = [f"c{i}" for i in range(400)]
    canary = [name for name in every if in_canary(name, 0.25)]
    assert 60 < len(canary) < 140
    write_replies(lake, NOW, [name for name in every if name not in canary], "stop")
    write_replies(lake, NOW, canary, "error")
    seen = observer("pred", lake, NOW - 1, NAMES, 0.25)()
    assert seen.challenger.failed == seen.challenger.replies == len(canary)
    assert seen.champion.failed == 0
    assert decide(seen, RULES, over=False) is Decision.ERRORS


def arm(rmse: float, conversations: int = 1000, **more: float) -> Arm:
    """With the variance of a hundredth of its mean square."""
    mse = rmse**2
    return Arm(40 * conversations, conversations, mse, (0.01 * mse) ** 2, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("challenger", "over", "decision"),
    [
        (arm(0.15), True, Decision.PROMOTE),
        (arm(0.20), True, Decision.PROMOTE),  # no worse, within the tolerance
        (arm(0.22), True, Decision.WORSE),
        (arm(0.30), False, Decision.WORSE),  # harm ends it at once
        (arm(0.15), False, Decision.PROMOTE),  # enough rows
        (arm(0.15, 12), False, Decision.WAIT),
        (arm(0.15, 12), True, Decision.TOO_FEW),
        (arm(0.2030), True, Decision.UNDECIDED),
        (arm(0.15, ks=0.16), True, Decision.WORSE),
        (arm(math.nan), True, Decision.TOO_FEW),
    ],
)
def test_decisions(challenger: Arm, over: bool, decision: Decision) -> None:
    assert decide(Observation(arm(0.20), challenger), RULES, over) is decision


def test_a_market_beyond_both_does_not_stop_the_better_one() -> None:
    seen = Observation(arm(0.20, ks=0.3), arm(0.15, ks=0.2))
    assert decide(seen, RULES, over=True) is Decision.PROMOTE


def test_few_errors_are_chance() -> None:
    champion = arm(0.2, replies=1000, failed=20)
    assert decide(Observation(champion, arm(0.15, replies=50, failed=2)), RULES, True) is (
        Decision.PROMOTE
    )
    assert decide(Observation(champion, arm(0.15, replies=100, failed=5)), RULES, True) is (
        Decision.PROMOTE
    )
    assert decide(Observation(champion, arm(0.15, replies=50, failed=15)), RULES, True) is (
        Decision.ERRORS
    )
    assert decide(Observation(arm(0.2), arm(0.15, replies=3, failed=3)), RULES, True) is (
        Decision.ERRORS
    )


def test_the_interval_covers() -> None:
    """The 95 % interval of no change holds 0 in about 95 % of canaries."""
    rng = np.random.default_rng(3)
    misses = 0
    for _ in range(300):
        arms = []
        for n in (400, 80):
            level = rng.gamma(2.0, 0.5, n)  # conversations differ
            errors = (rng.normal(0, 0.2, (n, 20)) ** 2 * level[:, None]).sum(axis=1)
            mse = errors.sum() / (20 * n)
            variance = n / (n - 1) * ((errors - 20 * mse) ** 2).sum() / (20 * n) ** 2
            arms.append(Arm(20 * n, n, mse, variance))
        change, error = Observation(*arms).change()
        misses += abs(change) > 1.96 * error
    assert 3 <= misses <= 32


def test_the_share_is_of_conversations() -> None:
    names = [f"conv_{i}" for i in range(20_000)]
    served = np.mean([in_canary(name, 0.05) for name in names])
    assert served == pytest.approx(0.05, abs=0.006)
    assert not any(in_canary(name, 0.0) for name in names[:100])
    assert all(in_canary(name, 1.0) for name in names[:100])
