# SPDX-License-Identifier: Apache-2.0
"""Readers: what a context, a creative and its delivered length do to clicks and dwell.

    relevance  rel = sigmoid((cos(ctx, ad) - 0.35) / 0.12)
    annoyance  ann = (1 - rel) tokens / 48
    plateau    v_max = 0.4 + 4.2 sigmoid(-1.6 + 2.4 rel + 0.9 quality - 1.2 ann)
    slope      a = 0.25 + 0.55 exp(-(tokens - 6) / 14)
    midpoint   k_0 = 1 + 0.6 (hook - 1)
    curve      V(k) = v_max / (1 + exp(-a (k - k_0)))

V(k) is the expectation of log(1 + clicks) of a bucket of `READERS` people, so the label's mean is
exactly logistic in k: the rate of clicks is `rate_of(V)`, the inverse of E log(1 + Poisson). Agents
(`AGENTS` of all readers) click at a fixed small rate whatever the ad. docs/market.md, 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import lgamma, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.contracts import AD_TOKENS
from pipelines_dagster.defs.market.creatives import Words

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

READERS = 1_000
"""Impressions of a bucket."""
AGENTS = 0.05
"""Share of readers that are programs."""
AGENT_CLICKS = 0.002
"""Clicks an agent makes per impression."""

A_CPM, B_CPC = 1.0, 10.0
"""Weights of a value label, in bid units per dollar: value = log(1+clicks) (A CPM + B CPC)."""

_RATES = np.concatenate([[0.0], np.geomspace(1e-4, 250.0, 700)])


@dataclass(frozen=True)
class Curve:
    """n pairs of context and creative; see the module's formulas."""

    relevance: F64
    annoyance: F64
    v_max: F64
    a: F64
    k_0: F64

    def value(self, k: NDArray[Any]) -> F64:
        """V(k) per unit of rate; 0 where nothing was delivered."""
        v = self.v_max / (1 + np.exp(-self.a * (k - self.k_0)))
        return np.where(np.asarray(k) > 0, v, 0.0)


@dataclass(frozen=True)
class Cosine:
    """Where the encoder's cosines turn from irrelevant to relevant."""

    middle: float = 0.35
    width: float = 0.12


def curves(cosine: F64, words: Sequence[Words], scale: Cosine) -> Curve:
    """Curves of n pairs, given their cosines and the ads' words."""
    quality = np.array([w.quality for w in words])
    tokens = np.array([w.tokens for w in words], np.float64)
    hook = np.array([w.hook for w in words], np.float64)
    relevance = _sigmoid((cosine - scale.middle) / scale.width)
    annoyance = (1 - relevance) * tokens / AD_TOKENS
    return Curve(
        relevance=relevance,
        annoyance=annoyance,
        v_max=0.4 + 4.2 * _sigmoid(-1.6 + 2.4 * relevance + 0.9 * quality - 1.2 * annoyance),
        a=0.25 + 0.55 * np.exp(-np.maximum(tokens - 6, 0) / 14),
        k_0=1 + 0.6 * (hook - 1),
    )


def rate_of(value: F64) -> F64:
    """Clicks expected in a bucket whose E log(1 + clicks) is `value`."""
    result: F64 = np.interp(value, _expectations(), _RATES)
    return result


def log_clicks(rate: F64) -> F64:
    """E log(1 + Poisson(rate)), the inverse of `rate_of`."""
    result: F64 = np.interp(rate, _RATES, _expectations())
    return result


def price(cpm: F64, cpc: F64) -> F64:
    """The unit of value: what a label is multiplied by, in bid units."""
    return A_CPM * cpm + B_CPC * cpc


def dwell_ms(curve: Curve, k: I64, rng: np.random.Generator) -> I64:
    """Mean dwell of a bucket: reading what matters takes time, annoyance sends people away."""
    share = k / AD_TOKENS
    mean = 1_500 + 9_000 * share * (0.3 + curve.relevance) - 3_000 * share * curve.annoyance
    noisy = np.maximum(mean, 300) * np.exp(rng.normal(0, 0.15, len(k)))
    whole: I64 = noisy.astype(np.int64)
    return whole


@cache
def _expectations() -> F64:
    """E log(1 + Poisson(r)) of every r in `_RATES`."""
    counts = np.arange(500)
    weight = np.log1p(counts)
    log_factorial = np.array([lgamma(int(n) + 1) for n in counts])
    rows = [0.0]
    for rate in _RATES[1:]:
        rows.append(float(np.exp(counts * log(rate) - rate - log_factorial) @ weight))
    return np.array(rows)


def _sigmoid(x: F64) -> F64:
    return 1 / (1 + np.exp(-x))


def agent_rate(impressions: int = READERS) -> float:
    """Clicks that agents add to a bucket."""
    return impressions * AGENTS * AGENT_CLICKS
