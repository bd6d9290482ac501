# SPDX-License-Identifier: Apache-2.0
"""Two versions side by side: figures of each, and what their difference allows to decide.

Tokens of one conversation are not independent, so variances are over conversations: the mean
squared error of an arm is a ratio of sums, its variance the linearised one of a ratio; the log of
the ratio of two RMSEs is taken as normal.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import polars as pl

KS_MOST = 0.15
_Z_95 = 1.959964
_Z_HARM = 3.290527  # 99.9 %: asked again and again while a canary runs
_ERRORS_LEAST = 3


class Decision(StrEnum):
    """What is to be done with a challenger."""

    PROMOTE = "promote"
    WORSE = "worse"
    TOO_FEW = "too_few_events"
    ERRORS = "serving_errors"
    UNDECIDED = "not_shown_to_be_no_worse"
    WAIT = "wait"


@dataclass(frozen=True)
class Arm:
    """What one version did.

    Attributes:
        rows, conversations: that were measured; conversations are sessions of the shop for a model
            that serves those.
        mse, variance: mean squared error and the variance of that mean; where more is better, what
            a session earned.
        ks: of the forecast's PIT, NaN where there is no distribution.
        calibration: mean prediction over mean label, NaN where it means nothing.
        replies, failed: of the arm's conversations, those that ended with an error.
    """

    rows: int = 0
    conversations: int = 0
    mse: float = math.nan
    variance: float = math.nan
    ks: float = math.nan
    calibration: float = math.nan
    replies: int = 0
    failed: int = 0

    @property
    def rmse(self) -> float:
        return math.sqrt(self.mse) if self.mse >= 0 else math.nan

    def as_dict(self) -> dict[str, Any]:
        figures = asdict(self) | {"rmse": self.rmse}
        return {k: v if math.isfinite(v) else None for k, v in figures.items()}


@dataclass(frozen=True)
class Observation:
    """Both arms, over the same time. `earned`: their means are earnings, not errors."""

    champion: Arm = field(default_factory=Arm)
    challenger: Arm = field(default_factory=Arm)
    earned: bool = False

    def change(self) -> tuple[float, float]:
        """How much worse the challenger is, and the standard error; NaN when unknown.

        log(RMSE challenger / RMSE champion); of earnings log(champion / challenger).
        """
        one, other = self.champion, self.challenger
        if not (one.mse > 0 and other.mse > 0):
            return math.nan, math.nan
        relative = math.sqrt(one.variance / one.mse**2 + other.variance / other.mse**2)
        worse = math.log(other.mse / one.mse)
        return (-worse, relative) if self.earned else (0.5 * worse, 0.5 * relative)

    def excess(self, tolerance: float) -> tuple[float, float]:
        """How much more than `tolerance` the challenger is worse, and the standard error; NaN when
        unknown.

        In the unit of `change`; where an arm earned nothing, which has no logarithm, in money:
        champion less (1 + tolerance) challenger, variances apart (Welch). An arm whose sessions all
        earned the same shows no spread of its own and has that of the other's sessions.
        """
        one, other = self.champion, self.challenger
        if not self.earned or (one.mse > 0 and other.mse > 0):
            change, error = self.change()
            return change - math.log1p(tolerance), error
        parts = _spread(one, other), (1 + tolerance) ** 2 * _spread(other, one)
        if not sum(parts) > 0:
            return math.nan, math.nan
        return one.mse - (1 + tolerance) * other.mse, math.sqrt(sum(parts))

    def as_dict(self) -> dict[str, Any]:
        change, error = self.change()
        known = {
            "earnings_fall" if self.earned else "rmse_change": math.expm1(change),
            "low": math.expm1(change - _Z_95 * error),
            "high": math.expm1(change + _Z_95 * error),
        }
        clean = {k: v if math.isfinite(v) else None for k, v in known.items()}
        return {
            "champion": self.champion.as_dict(),
            "challenger": self.challenger.as_dict(),
            **clean,
        }


@dataclass(frozen=True)
class Rules:
    """When a canary is over.

    Attributes:
        tolerance: the upper end of the 95 % interval of the change may reach this.
        conversations: fewer, of either arm, decide nothing.
        rows: of the challenger, that end the canary before its time.
    """

    tolerance: float = 0.02
    conversations: int = 30
    rows: int = 200_000


def decide(seen: Observation, rules: Rules, over: bool) -> Decision:
    """`over`: the time is up. Harm ends a canary at once, success only at its end."""
    if _errors(seen):
        return Decision.ERRORS
    enough = min(seen.champion.conversations, seen.challenger.conversations) >= rules.conversations
    excess, error = seen.excess(rules.tolerance)
    if enough and excess - _Z_HARM * error > 0:
        return Decision.WORSE
    if not over and (not enough or seen.challenger.rows < rules.rows):
        return Decision.WAIT
    return _at_the_end(seen, rules) if enough else Decision.TOO_FEW


def _at_the_end(seen: Observation, rules: Rules) -> Decision:
    excess, error = seen.excess(rules.tolerance)
    if math.isnan(excess) or math.isnan(error):
        return Decision.TOO_FEW
    if not _calibrated(seen) or excess - _Z_95 * error > 0:
        return Decision.WORSE
    if excess + _Z_95 * error <= 0:
        return Decision.PROMOTE
    return Decision.UNDECIDED


def _spread(arm: Arm, other: Arm) -> float:
    """The variance of an arm's mean."""
    if arm.variance != 0 or not arm.conversations:
        return arm.variance
    return other.variance * other.conversations / arm.conversations


def _calibrated(seen: Observation) -> bool:
    """KS at most 0.15, or no more than the champion's where this market is beyond either."""
    ks = seen.challenger.ks
    return math.isnan(ks) or ks <= KS_MOST or ks <= seen.champion.ks


def _errors(seen: Observation) -> bool:
    """The challenger's replies fail more often, beyond chance."""
    one, other = seen.champion, seen.challenger
    if other.failed < _ERRORS_LEAST:
        return False
    both = (one.failed + other.failed) / max(one.replies + other.replies, 1)
    if one.replies == 0:
        return True
    gap = other.failed / other.replies - one.failed / one.replies
    spread = math.sqrt(both * (1 - both) * (1 / one.replies + 1 / other.replies))
    return gap > _Z_HARM * spread


def arm_of(rows: pl.DataFrame) -> Arm:
    """Of rows with `conv_id`, `squared` and, where there are, `pit`, `predicted` and `label`."""
    if rows.is_empty():
        return Arm()
    each = rows.group_by("conv_id").agg(pl.col("squared").sum().alias("sum"), pl.len().alias("n"))
    count, total = each.height, rows.height
    mse = float(each["sum"].sum()) / total
    variance = math.nan
    if count > 1:
        residual = each["sum"].to_numpy() - mse * each["n"].to_numpy()
        variance = float(count / (count - 1) * (residual**2).sum()) / total**2
    calibration = math.nan
    if "label" in rows.columns and (label := float(rows["label"].sum())) > 0:
        calibration = float(rows["predicted"].sum()) / label
    return Arm(total, count, mse, variance, _ks(rows), calibration)


def _ks(rows: pl.DataFrame) -> float:
    """sup |ECDF - uniform| of the PIT."""
    if "pit" not in rows.columns:
        return math.nan
    ordered = rows["pit"].sort().to_numpy()
    steps = pl.int_range(rows.height + 1, eager=True).to_numpy() / rows.height
    return float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))
