# SPDX-License-Identifier: Apache-2.0
"""Means, paired differences and slopes with 95 % intervals: seeds are what is drawn again.

Runs of one seed see the same visitors (common random numbers), so differences are taken seed by
seed before anything is averaged.
"""

from __future__ import annotations

import numpy as np

from bls.audit.bootstrap import RESAMPLES, Estimate
from bls.errors import SkynetError
from pipelines_dagster.phantom.policies.policy import F64, I64

_LEVEL = (2.5, 97.5)


def mean(values: F64, seed: int = 0) -> Estimate:
    """Of f64[seeds]; a single one has an interval of no width."""
    values = _seeds(values)
    drawn = values[_again(len(values), seed)].mean(axis=1)
    return _estimate(float(values.mean()), drawn)


def difference(values: F64, base: F64, seed: int = 0) -> Estimate:
    """Mean of `values - base`, both f64[seeds] in the same order."""
    return mean(_seeds(values) - _seeds(base), seed)


def change(values: F64, base: F64, seed: int = 0) -> Estimate:
    """Mean of `values` over mean of `base`, less 1, seeds drawn in pairs. f64[seeds] both."""
    values, base = _seeds(values), _seeds(base)
    at = _again(len(base), seed)
    drawn = values[at].mean(axis=1) / base[at].mean(axis=1) - 1
    return _estimate(float(values.mean() / base.mean() - 1), drawn)


def line(x: F64, values: F64, seed: int = 0) -> tuple[Estimate, Estimate]:
    """(intercept, slope) of the least-squares line through f64[seeds, points] at x f64[points]."""
    values = _seeds(values)
    design = np.stack([np.ones(len(x)), x], axis=1)
    fitted = np.linalg.lstsq(design, values.T, rcond=None)[0]  # [2, seeds]
    drawn = fitted.T[_again(len(values), seed)].mean(axis=1)
    found = fitted.mean(axis=1)
    return _estimate(float(found[0]), drawn[:, 0]), _estimate(float(found[1]), drawn[:, 1])


def _seeds(values: F64) -> F64:
    if not len(values):
        raise SkynetError("no_data", "There is no run to average.", 409)
    return np.asarray(values, np.float64)


def _again(count: int, seed: int) -> I64:
    """int64[resamples, count]: which seeds each resample has."""
    return np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))


def _estimate(value: float, drawn: F64) -> Estimate:
    low, high = np.percentile(drawn, _LEVEL)
    return Estimate(value, float(low), float(high))
