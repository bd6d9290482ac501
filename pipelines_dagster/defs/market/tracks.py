# SPDX-License-Identifier: Apache-2.0
"""Lines of `auction.bids`, `auction.vcg`, `e2e.trace` and `mpc.decisions`, as columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bls.brain import features
from bls.reply.receipt import CURRENCY
from export.bid_predictor.windows import past_windows
from pipelines_dagster.defs.market.auctions import TOKEN_S, Auctions
from pipelines_dagster.defs.market.clearing import Cleared, evidence, log_z, unsure
from pipelines_dagster.defs.market.events import MICROS_PER_WEIGHT, RESERVE, RULE
from pipelines_dagster.defs.market.traits import F64, Bool
from pipelines_dagster.defs.market.world import World

Mixture = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""FEATURES f32 [n, 150] to MIXTURE f32 [n, 5]."""

_V = pl.lit(1).alias("v")
_ROWS = 8_192


@dataclass(frozen=True)
class Played:
    """Conversations that took place, with their auctions. `start`: [n] Unix s of each opening."""

    auctions: Auctions
    world: World
    seed: int
    start: F64
    cleared: Cleared

    @property
    def owners(self) -> NDArray[np.str_]:
        """[n, S] who has each seat."""
        return np.array(self.world.advertisers)[self.auctions.advertiser]


def ragged(values: NDArray[Any], keep: Bool) -> pl.Series:
    """Rows of a matrix as lists, of each the entries to keep."""
    flat = pl.Series("values", values.ravel()).to_frame()
    kept = flat.select(pl.when(pl.Series(keep.ravel())).then("values"))["values"]
    return kept.reshape(keep.shape).arr.to_list().list.drop_nulls()


def tokens(played: Played) -> pl.DataFrame:
    """conv_id, request_id, ts, token_idx and advertisers of every token."""
    auctions, cleared = played.auctions, played.cleared
    reply = pl.DataFrame({"conv_id": _names(played)}).with_columns(
        request_id=pl.col("conv_id"),
        advertisers=ragged(played.owners, auctions.seated),
        conv=pl.int_range(pl.len(), dtype=pl.Int64),
    )
    ts = played.start[cleared.conv] + (cleared.index + 1) * TOKEN_S
    at = pl.DataFrame({"ts": np.round(ts, 6), "token_idx": cleared.index.astype(np.int32)})
    return pl.concat([reply[cleared.conv], at], how="horizontal")


def bids(tokens: pl.DataFrame, cleared: Cleared) -> pl.DataFrame:
    """`auction.bids` lines."""
    weights, keep = _with_reference(cleared.weight, RESERVE, cleared.seated)
    w_minus, _ = _with_reference(cleared.others, 0.0, cleared.seated)
    w_minus[:, 0] = cleared.weight.astype(np.float64).sum(axis=1)
    return tokens.with_columns(
        _V,
        mode=pl.lit("argmax"),
        seed=pl.lit(0, pl.Int64),
        temperature=pl.lit(1.0),
        charge_rule=pl.lit(RULE),
        micros_per_weight=pl.lit(MICROS_PER_WEIGHT, pl.Int64),
        weights=ragged(weights.astype(np.float32), keep),
        w_minus=ragged(w_minus.astype(np.float32), keep),
    )


def vcg(tokens: pl.DataFrame, cleared: Cleared) -> pl.DataFrame:
    """`auction.vcg` lines; the evidence is base64."""
    pay, keep = _with_reference(cleared.pay, 0.0, cleared.seated)
    rows = keep.sum(axis=1)
    place = keep.cumsum(axis=1) - 1
    wants_one = keep & (place == (cleared.best + 1)[:, None])
    p_token = np.where(wants_one == cleared.won[:, None], 1.0, unsure())
    proofs = [evidence(int(r), int(b)) for r, b in zip(rows, cleared.best, strict=True)]
    return tokens.select(
        _V,
        "conv_id",
        "request_id",
        "ts",
        "token_idx",
        pl.Series("token", cleared.won.astype(np.int32)),
        pl.lit(0).alias("ref_token"),
        pl.Series("margin", cleared.margin),
        pl.Series("near_tie", cleared.near_tie),
        pl.lit(False).alias("policy"),
        ragged(pay, keep).alias("pay"),
        ragged(pay, keep).alias("critical_bid"),
        ragged(p_token, keep).alias("p_token"),
        ragged(np.zeros(keep.shape, np.int32), keep).alias("row_status"),
        ragged(np.full(keep.shape, log_z()), keep).alias("log_z"),
        pl.lit(16).alias("top"),
        pl.Series("top_id", [proof[0] for proof in proofs]),
        pl.Series("top_logit", [proof[1] for proof in proofs]),
    )


def replies(played: Played) -> pl.DataFrame:
    """`e2e.trace` lines: one receipt a conversation."""
    auctions, cleared = played.auctions, played.cleared
    count = auctions.lengths
    bounds = cleared.start
    paid = np.add.reduceat(cleared.pay, bounds)
    influenced = np.add.reduceat((cleared.pay > 0).astype(np.int64), bounds)
    weight = np.add.reduceat(cleared.weight.astype(np.float64), bounds)
    micros = np.round(paid * MICROS_PER_WEIGHT).astype(np.int64)
    conv, seat = np.nonzero(auctions.seated)
    lines = pl.DataFrame(
        {
            "conv": conv,
            "advertiser": played.owners[conv, seat],
            "row": (auctions.seated.cumsum(axis=1))[conv, seat].astype(np.int32),
            "bid": auctions.bids[conv, 0, seat].astype(np.float32).astype(np.float64),
            "mean_bid": np.round(weight[conv, seat] / count[conv], 6),
            "tokens_influenced": influenced[conv, seat].astype(np.int32),
            "tokens_dropped": np.zeros(len(conv), np.int32),
            "pay_micros": micros[conv, seat],
            "critical_bid_micros": micros[conv, seat],
            "charge_micros": micros[conv, seat],
        }
    )
    listed = lines.group_by("conv", maintain_order=True).agg(
        lines=pl.struct(pl.exclude("conv")), total_micros=pl.col("charge_micros").sum()
    )
    sponsored = np.add.reduceat((cleared.pay > 0).any(axis=1).astype(np.int64), bounds)
    return pl.DataFrame(
        {
            "conv_id": _names(played),
            "ts": np.round(played.start + count * TOKEN_S, 6),
            "completion_tokens": count.astype(np.int32),
            "sponsored_tokens": sponsored.astype(np.int32),
        }
    ).with_columns(
        _V,
        listed["lines"],
        listed["total_micros"],
        request_id=pl.col("conv_id"),
        finish_reason=pl.lit("length"),
        charge_rule=pl.lit(RULE),
        currency=pl.lit(CURRENCY),
        micros_per_weight=pl.lit(MICROS_PER_WEIGHT, pl.Int64),
    )


def decisions(played: Played, mixture: Mixture, predictor: str, tve: str) -> pl.DataFrame:
    """`mpc.decisions` lines: each bid was the controller's, on a forecast of `mixture`."""
    auctions, cleared = played.auctions, played.cleared
    token, seat = np.nonzero(cleared.seated)
    conv, index = cleared.conv[token], cleared.index[token]
    steps, seats = auctions.log_w.shape[1:]
    flat = auctions.log_w.transpose(0, 2, 1).reshape(-1)
    first = (conv * seats + seat) * steps
    past = past_windows(flat, first + index + 1, first)
    contexts = played.world.ctx[auctions.ctx]
    forecast = np.concatenate(
        [
            mixture(features.build(contexts[conv[rows]], past[rows], index[rows]))
            for rows in np.split(np.arange(len(conv)), range(_ROWS, len(conv), _ROWS))
        ]
    )
    weight = cleared.weight[token, seat].astype(np.float64)
    row = cleared.seated.cumsum(axis=1)[token, seat].astype(np.int32)
    told = dict(zip(_MIXTURE, forecast.T.astype(np.float64), strict=True))
    return (
        tokens(played)[token]
        .select("conv_id", "request_id", "ts", "token_idx")
        .with_columns(
            _V,
            pl.Series("row", row),
            pl.Series("advertiser", played.owners[conv, seat]),
            *(pl.Series(name, values) for name, values in told.items()),
            *(pl.Series(name, weight) for name in ("bid", "w_star", "weight")),
            *(pl.lit(0.0).alias(name) for name in _ZERO),
            *(pl.lit(value).alias(name) for name, value in _FIXED.items()),
            predictor=pl.lit(predictor),
            tve=pl.lit(tve),
        )
    )


_MIXTURE = ("mu1", "s1", "mu2", "s2", "alpha")
_ZERO = ("util", "sigma_eff", "v_max", "a", "k_0", "rate", "spend_rate", "latency_ms")
_FIXED: dict[str, Any] = {
    "controlled": 1,
    "pace": 1.0,
    "abandon": False,
    "plan_id": -1,
    "neg_cnt": 0,
    "method": 1,
    "horizon": 8,
    "lambda_risk": 0.5,
    "momentum": 16,
    "sigma_max": 1.0,
    "w_max": 3.0,
    "cost_model": 0,
    "reserve": RESERVE,
    "rival_share": 1.0,
    "params_version": 0,
    "won": 0,
    "count": 1,
    "left": 1,
    "neg_before": 0,
    "budget_left": 1e6,
    "time_left": 86_400.0,
    "path": 0,
}


def _names(played: Played) -> NDArray[np.str_]:
    """[n] conv_id, which is the request's id too."""
    return np.array([f"sim_{played.seed}_{conv}" for conv in range(len(played.auctions))])


def _with_reference(values: NDArray[Any], reference: float, seated: Bool) -> tuple[F64, Bool]:
    """Row 0 put before every token's rows, and which entries there are."""
    first = np.full((len(values), 1), reference)
    keep = np.concatenate([np.ones((len(values), 1), bool), seated], axis=1)
    return np.concatenate([first, values.astype(np.float64)], axis=1), keep
