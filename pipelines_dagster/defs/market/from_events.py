# SPDX-License-Identifier: Apache-2.0
"""Bid series out of the live system's records: the same table the simulator writes.

A reply is a series; its opening is the sum of the other advertisers' bids in its receipt. A reply
without a receipt (still being written, say) has no opening row yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bls.brain.features import log_weight
from bls.errors import SkynetError
from bls.settlement.faults import Faults
from bls.settlement.reader import Json, Reader
from bls.settlement.record import BIDS as STREAM
from bls.settlement.record import RECEIPTS
from bls.settlement.segments import files
from pipelines_dagster.defs.market.dataset import check
from pipelines_dagster.defs.market.schema import BIDS

_COLUMNS = ("conv_id", "advertiser", "ctx_id", "token_idx", "ts", "log_w")


def bids_from_events(folder: Path, contexts: Mapping[str, int] | None = None) -> pl.DataFrame:
    """`BIDS` rows of every reply in a log folder, reply by reply in token order.

    Args:
        contexts: `ctx_id` by live `conv_id`; by default replies are numbered in their order, for
            the caller to make `contexts.parquet` in the same order.

    Raises:
        SkynetError: `no_records` without a log, `records_faulty` when a record was changed, torn or
            malformed, `unknown_context` for a conversation that `contexts` lacks,
            `dataset_empty` for a log without tokens.
    """
    faults = Faults()
    reader = Reader(folder, faults)
    replies: dict[tuple[str, str], list[Json]] = {}
    for record in reader.lines(STREAM):
        replies.setdefault((record["conv_id"], record["request_id"]), []).append(record)
    receipts = reader.receipts() if files(folder, RECEIPTS) else {}
    if faults.counts:
        raise SkynetError("records_faulty", "The log has changed, torn or malformed records.")
    series: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for number, (key, records) in enumerate(replies.items()):
        rows = _opening(receipts.get(key), records[0]) + [_token(record) for record in records]
        ctx = number if contexts is None else _context(contexts, key[0])
        for index, ts, w_minus in sorted(rows):
            for advertiser, w in zip(records[0]["advertisers"], w_minus, strict=True):
                values = (":".join(key), advertiser, ctx, index, ts, float(log_weight(w)))
                for name, value in zip(_COLUMNS, values, strict=True):
                    series[name].append(value)
    return check("bids", pl.DataFrame(series).cast(pl.Schema(BIDS)), BIDS)


_Row = tuple[int, float, list[float]]
"""token_idx, ts, W_-i of every advertiser."""


def _token(record: Json) -> _Row:
    return record["token_idx"], record["ts"], record["w_minus"][1:]


def _opening(receipt: Json | None, first: Json) -> list[_Row]:
    """The row before the first token: nobody has been heard yet, the bids are the campaigns'."""
    if receipt is None:
        return []
    bid = {line["advertiser"]: float(line["bid"]) for line in receipt["lines"]}
    bids = np.array([bid[name] for name in first["advertisers"]])
    return [(-1, first["ts"], [float(np.delete(bids, i).sum()) for i in range(len(bids))])]


def _context(contexts: Mapping[str, int], conv_id: str) -> int:
    if conv_id not in contexts:
        raise SkynetError("unknown_context", "A conversation of the log has no context.")
    return contexts[conv_id]
