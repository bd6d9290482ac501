# SPDX-License-Identifier: Apache-2.0
"""A market small enough for a test: its words decide the curve, as in the real simulator."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from bls.contracts import CTX
from pipelines_dagster.defs.market import schema

TOPICS = ("hotel", "coffee", "shoe", "bank")
OFFERS = ("book now", "half price today", "learn more")


def write(folder: Path, seed: int, ads: int = 24, contexts: int = 30, rows: int = 600) -> Path:
    """A dataset folder with contexts, ads, samples and the truth of its pairs."""
    rng = np.random.default_rng(seed)
    (folder / "truth").mkdir(parents=True)
    centres = _unit(np.random.default_rng(7).standard_normal((len(TOPICS), CTX)))
    ctx = _unit(centres[rng.integers(len(TOPICS), size=contexts)] + 0.05 * _noise(rng, contexts))
    topic, offer = rng.integers(len(TOPICS), size=ads), rng.integers(len(OFFERS), size=ads)
    vectors = _unit(centres[topic] + 0.03 * _noise(rng, ads))
    texts = [f"A fine {TOPICS[t]} for you, {OFFERS[o]}." for t, o in zip(topic, offer, strict=True)]
    of_ctx, of_ad = rng.integers(contexts, size=rows), rng.integers(ads, size=rows)
    k = rng.integers(1, 13, size=rows)
    v_max = 0.5 + 2.0 * (np.einsum("nd,nd->n", ctx[of_ctx], vectors[of_ad]) > 0.5)
    k_0 = 2.0 + 2.0 * offer[of_ad]
    mean = v_max / (1 + np.exp(-0.6 * (k - k_0)))
    _table(schema.CONTEXTS, ctx_id=np.arange(contexts), ctx_vec=ctx).write_parquet(
        folder / "contexts.parquet"
    )
    _table(
        schema.ADS,
        ad_id=np.arange(ads) + 5,
        advertiser=["tiny"] * ads,
        text=texts,
        ad_vec=vectors,
        cpm=np.ones(ads),
        cpc=np.ones(ads),
    ).write_parquet(folder / "ads.parquet")
    clicks = rng.poisson(np.expm1(mean))
    _table(
        schema.SAMPLES,
        day=[date(2025, 1, 1)] * rows,
        ctx_id=of_ctx,
        ad_id=of_ad + 5,
        delivered=k,
        impressions=np.full(rows, 400),
        clicks=clicks,
        dwell_ms=np.full(rows, 1000),
        value=np.log1p(clicks) * 3.3,
    ).write_parquet(folder / "tve_samples.parquet")
    _table(
        schema.TVE_TRUTH, ctx_id=of_ctx, ad_id=of_ad + 5, v_max=v_max, a=np.full(rows, 0.6), k_0=k_0
    ).unique(["ctx_id", "ad_id"]).write_parquet(folder / "truth" / "tve.parquet")
    return folder


def _table(columns: schema.Columns, **values: object) -> pl.DataFrame:
    return pl.DataFrame(values).cast({name: columns[name] for name in values})  # type: ignore[arg-type]


def _unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def _noise(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.standard_normal((count, CTX))
