# SPDX-License-Identifier: Apache-2.0
"""Samples of readers' reactions: what `tve_samples.parquet` holds, and its truth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines_dagster.defs.market import readers
from pipelines_dagster.defs.market.schema import SAMPLES, SAMPLES_TRUTH, TVE_TRUTH
from pipelines_dagster.defs.market.world import F64, I64, World

FIRST_DAY = date(2025, 1, 1)
DAYS = 28
_WHOLE = 0.3
"""Share of deliveries that reached the end of the ad."""
_BEST, _BEST_SHARE = 8, 0.6
"""Most impressions show one of the creatives that fit the context best,"""
_SHOWN = 8
"""the others one of this many at random, the fitter the more."""


@dataclass(frozen=True)
class Feedback:
    """Tables, and the share of the label's variance that a perfect model explains."""

    samples: pl.DataFrame
    samples_truth: pl.DataFrame
    tve_truth: pl.DataFrame
    irreducible_r2: float


def draw_feedback(world: World, pairs: int, lengths: int, rng: np.random.Generator) -> Feedback:
    """`pairs` (context, creative) pairs, each seen at up to `lengths` delivered lengths."""
    ctx, ad = _pairs(world, pairs, rng)
    cosine = np.einsum("nd,nd->n", world.ctx[ctx], world.ad[ad]).astype(np.float64)
    curve = readers.curves(cosine, [world.words[i] for i in ad], world.scale)
    tokens = np.array([world.words[i].tokens for i in ad])
    rows = np.repeat(np.arange(len(ctx)), lengths)
    k = delivered_lengths(tokens[rows], rng)
    _, first = np.unique(rows * 64 + k, return_index=True)
    rows, k = rows[first], k[first]
    day = rng.integers(DAYS, size=len(rows))
    seen = react(curve, rows, k, rng)
    price = readers.price(world.cpm[ad], world.cpc[ad])[rows]
    label = np.log1p(seen.clicks)
    mean = readers.log_clicks(seen.human + readers.agent_rate())
    key = {
        "day": [FIRST_DAY + timedelta(days=int(d)) for d in day],
        "ctx_id": ctx[rows],
        "ad_id": ad[rows],
        "delivered": k,
    }
    samples = {
        **key,
        "impressions": np.full(len(rows), readers.READERS),
        "clicks": seen.clicks,
        "dwell_ms": seen.dwell_ms,
        "value": label * price,
    }
    truth = {
        **key,
        "mean_log_clicks": mean,
        "agent_impressions": seen.agents,
        "agent_clicks": seen.agent_clicks,
    }
    pair = {"ctx_id": ctx, "ad_id": ad, "v_max": curve.v_max, "a": curve.a, "k_0": curve.k_0}
    return Feedback(
        pl.DataFrame(samples).cast(pl.Schema(SAMPLES)),
        pl.DataFrame(truth).cast(pl.Schema(SAMPLES_TRUTH)),
        pl.DataFrame(pair).cast(pl.Schema(TVE_TRUTH)),
        explained(label, mean),
    )


@dataclass(frozen=True)
class Seen:
    """What n buckets of readers did. `human`: clicks expected of the people among them."""

    human: F64
    agents: I64
    agent_clicks: I64
    clicks: I64
    dwell_ms: I64


def react(
    curve: readers.Curve,
    rows: I64,
    k: I64,
    rng: np.random.Generator,
    keen: NDArray[np.float64] | float = 1.0,
) -> Seen:
    """Reactions to `k` delivered tokens [n] of the curves at `rows` [n].

    Args:
        keen: multiplies the clicks expected of people.
    """
    delivered = readers.Curve(**{name: v[rows] for name, v in vars(curve).items()})
    human = readers.rate_of(delivered.value(k)) * keen
    agents = rng.binomial(readers.READERS, readers.AGENTS, len(rows))
    agent_clicks = rng.poisson(agents * readers.AGENT_CLICKS)
    clicks = np.minimum(rng.poisson(human), readers.READERS - agents) + agent_clicks
    dwell_ms = readers.dwell_ms(delivered, k, rng)
    return Seen(human, agents, agent_clicks, clicks, dwell_ms)


def delivered_lengths(tokens: I64, rng: np.random.Generator) -> I64:
    """How many of an ad's tokens [n] were delivered: all of them, or any number."""
    whole = rng.random(len(tokens)) < _WHOLE
    k: I64 = np.where(whole, tokens, rng.integers(1, tokens + 1))
    return k


def explained(label: F64, mean: F64) -> float:
    """R2 of predicting `label` by `mean`."""
    return float(1 - np.mean((label - mean) ** 2) / np.var(label))


def _pairs(world: World, count: int, rng: np.random.Generator) -> tuple[I64, I64]:
    """Distinct pairs; the logging policy prefers fitting creatives, without ruling others out."""
    ctx = rng.integers(len(world.ctx), size=count)
    shown = rng.integers(len(world.ad), size=(count, _SHOWN))
    cosine = np.einsum("nd,nkd->nk", world.ctx[ctx], world.ad[shown])
    fitting = (world.ctx @ world.ad.T).argsort(axis=1)[:, -_BEST:][ctx]
    best = fitting[np.arange(count), rng.integers(fitting.shape[1], size=count)]
    wide = shown[np.arange(count), (cosine / 0.3 + rng.gumbel(size=cosine.shape)).argmax(axis=1)]
    ad = np.where(rng.random(count) < _BEST_SHARE, best, wide)
    _, first = np.unique(ctx * len(world.ad) + ad, return_index=True)
    return ctx[first], ad[first]
