# SPDX-License-Identifier: Apache-2.0
"""The gates: what a challenger's figures must be before it meets a reader.

Pure functions of figures. Every check must pass; a figure that is missing or not a number fails
(offline_orchestration U-06). The champion is measured on the same held-out rows. Sources:
competitor_bid 3 and I-04, trajectory_value I-03, corrections (max-reward optimiser) 1 and 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bls.contracts import MULTIPLIERS

Figures = Mapping[str, float]

RMSE_FALL = 0.02
"""Relative: the challenger's RMSE is below 0.98 of the champion's."""
KS_MOST = 0.15
R2_RISE = 0.01
"""Absolute, in R2: "up > 1 %" of the label's variance more is explained."""
CRPS_RISE = 0.0
COSINE_DROP_MOST = 0.03
"""Mean change of the cosine of two texts from 384 to 128 numbers: what selection sees. (A vector
against its own original loses more in 128 of 384 dimensions, whichever way they are fitted.)"""
FIRST_RMSE_MOST = 0.25
"""A first predictor, with no champion to beat, in log W_-i; the shipped one has 0.21."""
FIRST_R2_LEAST = 0.5
"""A first value model; the shipped one has 0.80."""
GUARD_MOST = {
    "user_chats_wrong": 0.005,
    "user_neither_wrong": 0.15,
    "user_fn_rate": 0.2,
    "ad_ads_wrong": 0.02,
}
"""Shares of held-out texts that a guard may decide wrongly; docs/guard.md has the shipped one's."""
AUC_FALL = 0.0
"""Of the lower end of the 95 % interval: it may not be below the champion's."""
ECE_RISE = 0.01
"""Absolute, of the expected calibration error: what chance makes of some hundred sessions."""
FIRST_AUC_LEAST = 0.8
FIRST_ECE_MOST = 0.1
"""A first agent score."""
OBJECTIVE_FALL = 0.01
"""The lower end of the 95 % interval of the change in the simulated objective, paired by seeds and
relative to the champion's, may reach minus this at any share of agents."""
_SUM_ERROR = 1e-6
_F32 = 1e-6
"""What FP32 makes of a multiplier."""


@dataclass(frozen=True)
class Check:
    """One condition: `value` must stay on the right side of `limit`; NaN when it is missing."""

    name: str
    passed: bool
    value: float
    limit: float
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """Every figure behind a decision."""

    subsystem: str
    version: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def failures(self) -> list[str]:
        return [
            f"{c.name}: {c.note or f'{c.value:.6g}, limit {c.limit:.6g}'}"
            for c in self.checks
            if not c.passed
        ]

    def as_dict(self) -> dict[str, Any]:
        """As `validate.outcome.log` has it; what is missing is null."""
        checks = [
            asdict(c) | {"value": c.value if math.isfinite(c.value) else None} for c in self.checks
        ]
        return {
            "subsystem": self.subsystem,
            "version": self.version,
            "pass": self.passed,
            "failures": self.failures,
            "checks": checks,
        }


def predictor(
    version: str, challenger: Figures, champion: Figures | None, attacks: Sequence[str] | None
) -> Verdict:
    """RMSE falls by more than 2 %, KS at most 0.15, and the robustness harness passes.

    Args:
        challenger, champion: `rmse` and `ks` on the same rows; None: there is no champion.
        attacks: failures of the harness; None: it did not run, which fails.
    """
    if champion is None:
        accuracy = _at_most("rmse", challenger.get("rmse"), FIRST_RMSE_MOST)
    else:
        limit = _number(champion.get("rmse")) * (1 - RMSE_FALL)
        accuracy = _below("rmse", challenger.get("rmse"), limit)
    failed = len(attacks) if attacks is not None else math.nan
    robust = Check("robustness", failed == 0, failed, 0, "; ".join(attacks or ()))
    return Verdict(
        "pred", version, (accuracy, _at_most("ks", challenger.get("ks"), KS_MOST), robust)
    )


def tve(version: str, challenger: Figures, champion: Figures | None) -> Verdict:
    """R2 rises by more than 0.01 and CRPS does not rise, `r2` and `crps` on the same rows."""
    if champion is None:
        return Verdict("tve", version, (_above("r2", challenger.get("r2"), FIRST_R2_LEAST),))
    return Verdict(
        "tve",
        version,
        (
            _above("r2", challenger.get("r2"), _number(champion.get("r2")) + R2_RISE),
            _at_most("crps", challenger.get("crps"), _number(champion.get("crps")) + CRPS_RISE),
        ),
    )


def agent(version: str, challenger: Figures, champion: Figures | None) -> Verdict:
    """`low` and `high`, the least and the most score, are probabilities; `auc_low` and `ece` on the
    same sessions, none of which any version was trained on."""
    least, most = FIRST_AUC_LEAST, FIRST_ECE_MOST
    if champion is not None:
        least = _number(champion.get("auc_low")) - AUC_FALL
        most = _number(champion.get("ece")) + ECE_RISE
    checks = (
        _at_least("low", challenger.get("low"), 0.0),
        _at_most("high", challenger.get("high"), 1.0),
        _at_least("auc_low", challenger.get("auc_low"), least),
        _at_most("ece", challenger.get("ece"), most),
    )
    return Verdict("agent", version, checks)


def price(version: str, figures: Figures, shares: Sequence[float]) -> Verdict:
    """`low` and `high`, the least and the most multiplier on states of every kind, are those of a
    learned policy; `objective_<share>` is no worse than the champion's at every share of agents.

    Args:
        figures: `objective_<share>`: the lower end described at `OBJECTIVE_FALL`; without a
            champion, against the base price.
    """
    bounds = (
        _at_least("low", figures.get("low"), MULTIPLIERS[0] - _F32),
        _at_most("high", figures.get("high"), MULTIPLIERS[-1] + _F32),
    )
    names = [f"objective_{share:g}" for share in shares]
    objectives = (_at_least(name, figures.get(name), -OBJECTIVE_FALL) for name in names)
    return Verdict("price", version, (*bounds, *objectives))


def axes(version: str, figures: Figures) -> Verdict:
    """Cosines of pairs move by at most 0.03 on average, on texts not fitted on."""
    drop = _at_most("pair_error", figures.get("pair_error"), COSINE_DROP_MOST)
    return Verdict("axes", version, (drop,))


def bandit(version: str, weights: Sequence[float] | None, arms: int) -> Verdict:
    """One weight for every bucket, none negative, together 1."""
    found = list(weights or ())
    total = math.fsum(found) if found else math.nan
    even = abs(total - 1) <= _SUM_ERROR and all(math.isfinite(w) and w >= 0 for w in found)
    count = Check("arms", len(found) == arms, float(len(found)), float(arms))
    return Verdict("lambda", version, (count, Check("weights_sum", even, total, 1.0)))


def tuner(version: str, figures: Figures) -> Verdict:
    """The 95 % interval of the gain in ROI lies above zero."""
    return Verdict("tuner", version, (_above("lift_low", figures.get("lift_low"), 0.0),))


def guard(version: str, figures: Figures) -> Verdict:
    """False alarms and misses of rules and classifier on texts not trained on."""
    checks = (_at_most(name, figures.get(name), most) for name, most in GUARD_MOST.items())
    return Verdict("guard", version, tuple(checks))


def _below(name: str, value: float | None, limit: float) -> Check:
    found = _number(value)
    return Check(name, found < limit, found, limit)


def _at_most(name: str, value: float | None, limit: float) -> Check:
    found = _number(value)
    return Check(name, found <= limit, found, limit)


def _at_least(name: str, value: float | None, limit: float) -> Check:
    found = _number(value)
    return Check(name, found >= limit, found, limit)


def _above(name: str, value: float | None, limit: float) -> Check:
    found = _number(value)
    return Check(name, found > limit, found, limit)


def _number(value: float | None) -> float:
    """NaN for what is not a finite number: every comparison with it is false."""
    ok = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if ok and value is not None else math.nan
