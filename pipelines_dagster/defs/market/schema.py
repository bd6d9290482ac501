# SPDX-License-Identifier: Apache-2.0
"""Columns of a market dataset: a folder of Parquet files, what models see and, apart, the truth.

contexts.parquet     CONTEXTS   one row a conversation context
ads.parquet          ADS        one row a creative
bids.parquet         BIDS       one row a token and advertiser, in token order
tve_samples.parquet  SAMPLES    one row a day, context, creative and delivered length
truth/               never read by training
  bids.parquet       BIDS_TRUTH, one row a row of `bids` but the openings: join by its key
  tve.parquet        TVE_TRUTH, one row a (context, creative) of `tve_samples`
  samples.parquet    SAMPLES_TRUTH, one row a row of `tve_samples`, in its order
dataset.json         seed, parameters, irreducible errors, SHA-256 of every file
"""

from __future__ import annotations

import polars as pl

from bls.contracts import CTX

Columns = dict[str, pl.DataType | type[pl.DataType]]

VECTOR = pl.Array(pl.Float32, CTX)

CONTEXTS: Columns = {"ctx_id": pl.UInt32, "ctx_vec": VECTOR}

ADS: Columns = {
    "ad_id": pl.UInt32,
    "advertiser": pl.String,
    "text": pl.String,  # the creative whose tokens make the trajectory
    "ad_vec": VECTOR,
    "cpm": pl.Float32,
    "cpc": pl.Float32,
}

BIDS: Columns = {
    "conv_id": pl.String,
    "advertiser": pl.String,
    "ctx_id": pl.UInt32,
    "token_idx": pl.Int16,  # -1: the opening, before the first token
    "ts": pl.Float64,
    "log_w": pl.Float32,  # log W_-i, floored as in bls.brain.features
}

SAMPLES: Columns = {
    "day": pl.Date,
    "ctx_id": pl.UInt32,
    "ad_id": pl.UInt32,
    "delivered": pl.Int16,  # k, tokens of the ad that were won and read
    "impressions": pl.Int32,
    "clicks": pl.Int32,
    "dwell_ms": pl.Int32,
    "value": pl.Float32,  # log(1 + clicks) (a CPM + b CPC)
}

BIDS_TRUTH: Columns = {
    "conv_id": pl.String,
    "advertiser": pl.String,
    "token_idx": pl.Int16,
    "mean_log_w": pl.Float32,  # of the next log W_-i, given the whole latent state before it
    "sd_log_w": pl.Float32,
    "regime": pl.UInt8,
    "scenario": pl.String,  # stationary, drifting, predictable, or an attack's name
}

TVE_TRUTH: Columns = {
    "ctx_id": pl.UInt32,
    "ad_id": pl.UInt32,
    "v_max": pl.Float32,  # per unit of rate: E[value(k)] / (a CPM + b CPC) as k grows
    "a": pl.Float32,
    "k_0": pl.Float32,
}

SAMPLES_TRUTH: Columns = {
    "day": pl.Date,
    "ctx_id": pl.UInt32,
    "ad_id": pl.UInt32,
    "delivered": pl.Int16,
    "mean_log_clicks": pl.Float32,  # E log(1 + clicks), agents included: value / rate
    "agent_impressions": pl.Int32,
    "agent_clicks": pl.Int32,
}

SEEN: dict[str, Columns] = {
    "contexts": CONTEXTS,
    "ads": ADS,
    "bids": BIDS,
    "tve_samples": SAMPLES,
}

TRUTH: dict[str, Columns] = {
    "truth/bids": BIDS_TRUTH,
    "truth/tve": TVE_TRUTH,
    "truth/samples": SAMPLES_TRUTH,
}

TABLES: dict[str, Columns] = SEEN | TRUTH
