# SPDX-License-Identifier: Apache-2.0
"""The law of the next log W_-i given the whole latent state: the simulator's irreducible error.

The market's next regime and an attack's phase are summed over exactly. What is left (innovations,
the seats' own regimes, the market's walk) is a Monte Carlo average over one Latin hypercube of
`POINTS` common numbers: each seat's draws are stratified, so the error in the mean is far below
sd / sqrt(POINTS) (tested against a million plain draws). Nobody who sees windows only can do better
than this law; how much worse they must be is what hidden regimes and levels cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bls.brain.features import W_FLOOR
from pipelines_dagster.defs.market.params import SEATS
from pipelines_dagster.defs.market.process import (
    State,
    attack_offset,
    event_chance,
    innovation,
    next_age,
    trend,
)
from pipelines_dagster.defs.market.traits import F64, Bool, Traits

F32 = NDArray[np.float32]

POINTS = 128
_CHUNK = 256


@dataclass(frozen=True)
class Law:
    """Of the next log W_-i, [n, SEATS] each.

    Attributes:
        mixture: [n, SEATS, 5] mu_1, s_1 with a calm market, mu_2, s_2 with a hot one, and alpha,
            the chance of calm: the two-component form the predictor answers in.
    """

    mean: F32
    sd: F32
    mixture: F32


def law(traits: Traits, state: State) -> Law:
    """The law of every seat's next log W_-i."""
    n = len(traits)
    parts = [
        _law(traits[rows], state.rows(rows))
        for rows in (slice(begin, begin + _CHUNK) for begin in range(0, n, _CHUNK))
    ]
    return Law(
        np.concatenate([part.mean for part in parts]),
        np.concatenate([part.sd for part in parts]),
        np.concatenate([part.mixture for part in parts]),
    )


def _law(traits: Traits, state: State) -> Law:
    p_hot = np.where(state.hot, traits.stay_market, 1 - traits.stay_market)
    calm, hot = (_moments(traits, state, np.full(len(traits), hot)) for hot in (False, True))
    alpha = (1 - p_hot)[:, None]
    mean = alpha * calm[0] + (1 - alpha) * hot[0]
    square = alpha * (calm[1] + calm[0] ** 2) + (1 - alpha) * (hot[1] + hot[0] ** 2)
    mixture = [
        calm[0],
        np.sqrt(calm[1]),
        hot[0],
        np.sqrt(hot[1]),
        np.broadcast_to(alpha, mean.shape),
    ]
    return Law(
        mean.astype(np.float32),
        np.sqrt(np.maximum(square - mean**2, 0)).astype(np.float32),
        np.stack(mixture, axis=-1).astype(np.float32),
    )


def _moments(traits: Traits, state: State, hot: Bool) -> tuple[F64, F64]:
    """Mean and variance [n, SEATS] given the market's next regime."""
    event = event_chance(traits, state)[:, None]
    mean, square = _average(next_values(traits, state, hot, changes=False))
    if event.any():
        other = _average(next_values(traits, state, hot, changes=True))
        mean = (1 - event) * mean + event * other[0]
        square = (1 - event) * square + event * other[1]
    return mean, np.maximum(square - mean**2, 0)


def next_values(traits: Traits, state: State, hot: Bool, *, changes: bool) -> F32:
    """Equally likely values of the next log W_-i, given the market's next regime and whether the
    attack's phase changes: [SEATS, POINTS, n], conversations last, which is what numpy is fast at.
    """
    z, common, u = hypercube()
    age = next_age(traits, state.age, np.full(len(traits), changes))
    market = trend(traits, state.t + 1) + state.common + hot * traits.market_step
    attack = attack_offset(traits, age)[:, None] * traits.attackers
    seat = traits.level + traits.ar * state.memory + state.own * traits.own_step
    base = np.where(traits.seated, market[:, None] + seat + attack, -np.inf)
    log_bid = z[:, :, None] * _seats(innovation(traits, hot))
    if traits.walk.any():
        log_bid += traits.walk.astype(np.float32) * common[:, None]
    flip = u[:, :, None] >= traits.stay_own.astype(np.float32)
    log_bid += flip * _seats(traits.own_step * np.where(state.own, -1.0, 1.0))
    log_bid += _seats(base)
    bids = np.exp(log_bid, out=log_bid)
    total = bids.sum(axis=0)
    w = np.subtract(total, bids, out=bids)
    np.maximum(w, np.float32(W_FLOOR), out=w)
    result: F32 = np.log(w, out=w)
    return result


def _seats(values: F64) -> F32:
    """[n, SEATS] as f32 [SEATS, 1, n]."""
    return np.ascontiguousarray(values.T, np.float32)[:, None, :]


def _average(values: F32) -> tuple[F64, F64]:
    """Mean and mean square over the points, [n, SEATS]; centred first, since f32 squares cancel."""
    centre = values[:, :1, :].copy()
    values -= centre
    mean = values.mean(axis=1).T.astype(np.float64)
    square = np.square(values, out=values).mean(axis=1).T.astype(np.float64)
    shift = centre[:, 0, :].T.astype(np.float64)
    return mean + shift, square + shift * (2 * mean + shift)


@cache
def hypercube() -> tuple[F32, F32, F32]:
    """Normals [SEATS, POINTS] and [POINTS], uniforms [SEATS, POINTS]: each row stratified."""
    rng = np.random.default_rng(20250423)
    middle = (np.arange(POINTS) + 0.5) / POINTS
    rows = np.stack([rng.permutation(middle) for _ in range(2 * SEATS + 1)])
    normal = _quantile(rows[: SEATS + 1]).astype(np.float32)
    return normal[:SEATS], normal[SEATS], rows[SEATS + 1 :].astype(np.float32)


def _quantile(p: F64) -> F64:
    """Standard normal quantiles, scaled so that a row's variance is exactly 1."""
    normal = np.vectorize(NormalDist().inv_cdf)(p)
    scaled: F64 = normal / normal.std(axis=1, keepdims=True)
    return scaled
