# SPDX-License-Identifier: Apache-2.0
"""The ads that simulated replies hosted: which creative, how much of it, and what readers did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines_dagster.defs.market import readers
from pipelines_dagster.defs.market.auctions import Auctions
from pipelines_dagster.defs.market.feedback import Seen, delivered_lengths, react
from pipelines_dagster.defs.market.traits import F64
from pipelines_dagster.defs.market.world import I64, World

_CHUNK = 1_024
_CHOOSY = 0.1
"""Cosine that makes a creative e times as likely to be its advertiser's choice."""
_SLOW_S = 30.0
"""Mean seconds until a bucket's reactions are told."""
_DULL, _WIDTH = 0.2, 0.15
"""What is left of the clicks far from the best bucket, and how far that is."""
_V = pl.lit(1).alias("v")


@dataclass(frozen=True)
class Host:
    """One row an ad in a reply: n rows of `conv` and `row` (from 1).

    Attributes:
        ad: place of the creative in the world; cosine: its with the context.
        curve: the law's; k: delivered tokens; bucket: lambda_sem of the reply.
        after_s: until the reactions were told; spread: standard normal, for forecasts.
    """

    world: World
    ctx: I64
    conv: I64
    row: I64
    ad: I64
    cosine: F64
    curve: readers.Curve
    k: I64
    seen: Seen
    bucket: F64
    after_s: F64
    spread: F64

    @property
    def rate(self) -> F64:
        return readers.price(self.world.cpm[self.ad], self.world.cpc[self.ad])

    def feedback(self, replies: pl.DataFrame, tve: str, noise: float) -> pl.DataFrame:
        """`tve.feedback` lines.

        Args:
            noise: spread of the forecast log v_max about the truth.
        """
        count = np.array([self.world.words[place].tokens for place in self.ad], np.int32)
        vectors = pl.Series("ctx_vec", self.world.ctx[self.ctx[self.conv]])
        return self._lines(replies).with_columns(
            pl.Series("row", self.row.astype(np.int32)),
            pl.Series("creative", np.array(self.world.texts)[self.ad]),
            vectors.arr.to_list(),
            pl.Series("rate", self.rate),
            pl.Series("delivered", self.k.astype(np.int32)),
            pl.Series("count", count),
            pl.Series("abandoned", self.k < count),
            pl.Series("v_max", self.curve.v_max * np.exp(noise * self.spread)),
            pl.Series("a", self.curve.a),
            pl.Series("k_0", self.curve.k_0),
            spread=pl.lit(noise),
            tve=pl.lit(tve),
        )

    def choices(self, replies: pl.DataFrame) -> pl.DataFrame:
        """`mro.select` lines."""
        score = self.bucket * self.cosine + (1 - self.bucket) * self.rate / 100
        return self._lines(replies).with_columns(
            pl.Series("ctx_id", [f"ctx_{place}" for place in self.ctx[self.conv]]),
            pl.Series("msg_id", [f"ad_{place}" for place in self.ad]),
            pl.Series("sim", self.cosine),
            pl.Series("val", self.rate),
            pl.Series("score", score),
            pl.Series("lambda_sem", self.bucket),
            explored=pl.lit(False),
            rank=pl.lit(0),
        )

    def reactions(self, replies: pl.DataFrame) -> pl.DataFrame:
        """`click.logs` lines, in the order of time."""
        return (
            self._lines(replies)
            .with_columns(
                (pl.col("ts") + pl.Series(self.after_s)).round(6),
                pl.Series("clicks", self.seen.clicks.astype(np.int32)),
                pl.Series("dwell_ms", self.seen.dwell_ms),
                impressions=pl.lit(readers.READERS),
            )
            .sort("ts", maintain_order=True)
        )

    def _lines(self, replies: pl.DataFrame) -> pl.DataFrame:
        owner = np.array(self.world.advertisers)[self.world.owner[self.ad]]
        at = replies.select("conv_id", "request_id", "ts")[self.conv]
        return at.with_columns(_V, pl.Series("advertiser", owner))


def host(
    auctions: Auctions,
    world: World,
    rng: np.random.Generator,
    buckets: NDArray[np.float64],
    best: float | None,
) -> Host:
    """Who showed what to whom in these conversations.

    Args:
        buckets: of lambda_sem, drawn evenly, one a reply.
        best: the bucket readers like most; None makes them indifferent.
    """
    conv, seat = np.nonzero(auctions.seated)
    row = auctions.seated.cumsum(axis=1)[conv, seat]
    owner = auctions.advertiser[conv, seat]
    ad, cosine = _creatives(world, auctions.ctx[conv], owner, rng)
    shown = np.flatnonzero(np.isfinite(cosine))  # an advertiser of a small world may have no ad
    conv, row, ad, cosine = conv[shown], row[shown], ad[shown], cosine[shown]
    curve = readers.curves(cosine, [world.words[place] for place in ad], world.scale)
    k = delivered_lengths(np.array([world.words[place].tokens for place in ad]), rng)
    bucket = rng.choice(buckets, len(auctions))[conv]
    keen = 1.0 if best is None else _DULL + (1 - _DULL) * np.exp(-(((bucket - best) / _WIDTH) ** 2))
    return Host(
        world=world,
        ctx=auctions.ctx,
        conv=conv,
        row=row,
        ad=ad,
        cosine=cosine,
        curve=curve,
        k=k,
        seen=react(curve, np.arange(len(ad)), k, rng, keen),
        bucket=bucket,
        after_s=rng.exponential(_SLOW_S, len(ad)),
        spread=rng.standard_normal(len(ad)),
    )


def _creatives(world: World, ctx: I64, owner: I64, rng: np.random.Generator) -> tuple[I64, F64]:
    """[n] creative of each advertiser in each context, the fitter the likelier, and its cosine;
    -inf without one."""
    ads, cosines = [], []
    for at in range(0, len(ctx), _CHUNK):
        here = slice(at, at + _CHUNK)
        fit = (world.ctx[ctx[here]] @ world.ad.T).astype(np.float64)
        fit[owner[here, None] != world.owner] = -np.inf
        ad = (fit / _CHOOSY + rng.gumbel(size=fit.shape)).argmax(axis=1)
        ads.append(ad)
        cosines.append(np.take_along_axis(fit, ad[:, None], axis=1)[:, 0])
    return np.concatenate(ads), np.concatenate(cosines)
