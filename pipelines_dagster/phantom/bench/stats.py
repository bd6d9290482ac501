# SPDX-License-Identifier: Apache-2.0
"""Means, paired differences and slopes with 95 % intervals: Student's t over seeds.

Runs of one seed see the same visitors (common random numbers), so a seed is one draw: differences
and slopes are taken seed by seed before anything is averaged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from bls.errors import SkynetError
from pipelines_dagster.phantom.policies.policy import F64


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; the interval of a single seed is unknown (NaN)."""

    value: float
    low: float
    high: float
    seeds: int

    @property
    def half(self) -> float:
        return (self.high - self.low) / 2

    def as_json(self) -> dict[str, float | None]:
        """Null where nothing is known."""
        return {k: v if math.isfinite(v) else None for k, v in vars(self).items()}


def mean(values: F64) -> Estimate:
    """Of f64[seeds]."""
    values = _seeds(values)
    count, middle = len(values), float(values.mean())
    half = math.nan
    if count > 1:
        half = float(student.ppf(0.975, count - 1) * values.std(ddof=1) / math.sqrt(count))
    return Estimate(middle, middle - half, middle + half, count)


def difference(values: F64, base: F64) -> Estimate:
    """Mean of `values - base`, both f64[seeds] in the same order."""
    return mean(_seeds(values) - _seeds(base))


def change(values: F64, base: F64) -> Estimate:
    """Mean of `values / base - 1`, both f64[seeds] in the same order."""
    return mean(_seeds(values) / _seeds(base) - 1)


def line(x: F64, values: F64) -> tuple[Estimate, Estimate]:
    """(intercept, slope) of the least-squares lines through f64[seeds, points] at x f64[points]:
    one line a seed."""
    values = _seeds(values)
    design = np.stack([np.ones(len(x)), x], axis=1)
    starts, slopes = np.linalg.lstsq(design, values.T, rcond=None)[0]
    return mean(starts), mean(slopes)


def _seeds(values: F64) -> F64:
    if not len(values):
        raise SkynetError("no_data", "There is no run to average.", 409)
    return np.asarray(values, np.float64)
