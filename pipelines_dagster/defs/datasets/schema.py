# SPDX-License-Identifier: Apache-2.0
"""Columns of the silver tables. Every one is partitioned by `dt`, the UTC date of `ts`.

A vector is a list here (Delta has no arrays of fixed length) and an array in a training set.
"""

from __future__ import annotations

import polars as pl

from pipelines_dagster.defs.datasets.validity import MARKS
from pipelines_dagster.defs.market.schema import Columns

F32_LIST = pl.List(pl.Float32)

_REPLY: Columns = {"conv_id": pl.String, "request_id": pl.String, "ts": pl.Float64}

BIDS: Columns = {
    **_REPLY,
    "advertiser": pl.String,
    "row": pl.Int16,
    "token_idx": pl.Int16,  # -1: the opening, what the advertisers came with
    "mode": pl.String,
    "temperature": pl.Float32,
    "charge_rule": pl.String,
    "micros_per_weight": pl.Int64,
    "w_ref": pl.Float32,
    "w_i": pl.Float32,
    "w_agg": pl.Float32,  # of all rows, the reference included
    "w_minus": pl.Float32,  # of the other advertisers, as the auction told it
    "log_w": pl.Float32,  # log W_-i, floored as in bls.brain.features
    "dt": pl.String,
}

BID_WINDOWS: Columns = {
    **_REPLY,
    "advertiser": pl.String,
    "token_idx": pl.Int16,
    "past": F32_LIST,  # [15] log W_-i before token_idx, oldest first, padded at the old end
    "label": pl.Float32,  # log W_-i of token_idx
    "dt": pl.String,
}

CONTEXTS: Columns = {
    **_REPLY,
    "ctx_key": pl.String,  # same vector, same key
    "cluster": pl.Int16,
    "ctx_vec": F32_LIST,  # [128], unit norm
    "dt": pl.String,
}

ADS: Columns = {
    "advertiser": pl.String,
    "ad_key": pl.String,  # same advertiser and text, same key
    "ts": pl.Float64,  # last seen on that day
    "text": pl.String,
    "rate": pl.Float64,  # the last of that day
    "ad_vec": F32_LIST,  # [128], unit norm
    "dt": pl.String,
}

TVE_SAMPLES: Columns = {
    **_REPLY,
    "advertiser": pl.String,
    "row": pl.Int16,
    "ctx_key": pl.String,
    "cluster": pl.Int16,
    "ad_key": pl.String,
    "delivered": pl.Int16,
    "count": pl.Int16,
    "abandoned": pl.Boolean,
    "impressions": pl.Int32,
    "clicks": pl.Int32,
    "dwell_ms": pl.Int64,
    "rate": pl.Float64,
    "log_clicks": pl.Float32,  # log(1 + clicks)
    "value": pl.Float32,  # the label: log_clicks x rate
    "v_max": pl.Float64,
    "a": pl.Float64,
    "k_0": pl.Float64,
    "tve": pl.String,
    **MARKS,  # of invalid traffic
    "dt": pl.String,
}

CLICK_PAIRS: Columns = {
    **_REPLY,
    "advertiser": pl.String,
    "ctx_key": pl.String,
    "chosen": pl.String,  # ad_key of a creative that was clicked
    "rejected_conv_id": pl.String,
    "rejected_request_id": pl.String,
    "rejected_advertiser": pl.String,
    "rejected": pl.String,  # ad_key of one that was shown in such a context and was not
    "scope": pl.String,  # conversation or cluster
    "cosine": pl.Float32,  # of the two contexts
    "dt": pl.String,
}

SESSIONS: Columns = {
    "session_id": pl.String,
    "ts": pl.Float64,  # when the gateway took it
    "seq": pl.Int64,
    "event_id": pl.String,
    "mode": pl.String,
    "action": pl.String,
    "item": pl.String,
    "ts_ms": pl.Int64,  # by the teller's clock
    "dwell_ms": pl.Int64,
    "meta": pl.String,
    "experiment": pl.String,
    "condition": pl.String,
    "label": pl.String,
    "origin": pl.String,
    "actor": pl.String,
    "user_agent": pl.String,
    "agent_probability": pl.Float64,  # NaN where there was none
    "agent_version": pl.String,
    "dt": pl.String,
}

LAMBDA_REWARDS: Columns = {
    **_REPLY,
    "ctx_id": pl.String,
    "advertiser": pl.String,
    "msg_id": pl.String,
    "rank": pl.Int16,
    "bucket": pl.Float64,  # lambda_sem, 0.1 to 0.9
    "explored": pl.Boolean,
    "sim": pl.Float64,
    "val": pl.Float64,
    "impressions": pl.Int32,
    "clicks": pl.Int32,
    "money": pl.Float64,  # clicks per impression x val
    "cap": pl.Float64,
    "reward": pl.Float64,  # money / cap, at most 1
    **MARKS,  # of invalid traffic
    "dt": pl.String,
}
