# SPDX-License-Identifier: Apache-2.0
"""What the predictor learns from: one row a token and advertiser, its past window and its label.

Rows come from `bids.parquet` alone (never from truth/). The window of token t is the last 15 of
opening, log W_-i(0), .., log W_-i(t - 1), padded at its old end as `bls.brain.features.pad` does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bls.brain import features
from bls.contracts import WINDOW
from export.errors import ExportError
from pipelines_dagster.defs.market.dataset import read_table

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

KEY = ("conv_id", "advertiser", "token_idx")


@dataclass(frozen=True)
class Windows:
    """n rows in the order of `KEY`; `contexts` is [c, 128] and `ctx` [n] its rows."""

    contexts: F32
    ctx: I64
    conversation: I64  # [n], a number per conversation
    past: F64  # [n, 15], oldest first
    token_idx: I64
    label: F64  # log W_-i of token_idx

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray[Any]) -> Windows:
        """Some rows (an index or a mask)."""
        names = ("ctx", "conversation", "past", "token_idx", "label")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def features(self) -> F32:
        """[n, 150], as the server builds them."""
        return features.build(self.contexts[self.ctx], self.past, self.token_idx)


def load_windows(dataset: Path) -> Windows:
    """The windows of a market dataset.

    Raises `SkynetError` as `read_table`, and `ExportError` `dataset_empty` or `dataset_invalid`:
    a token without its opening, a gap in the token order, a value that is not finite.
    """
    bids = read_table(dataset, "bids").sort(*KEY)
    contexts = read_table(dataset, "contexts").sort("ctx_id")
    conversation = _codes(bids["conv_id"])
    first = np.flatnonzero(_starts(conversation, _codes(bids["advertiser"])))
    token_idx = bids["token_idx"].to_numpy().astype(np.int64)
    log_w = bids["log_w"].to_numpy().astype(np.float64)
    group = np.repeat(first, np.diff(first, append=len(bids)))
    rows = np.flatnonzero(token_idx >= 0)
    if len(rows) == 0:
        raise ExportError("dataset_empty", "no token was sold in this dataset")
    if not np.array_equal(token_idx, np.arange(len(bids)) - group - 1):
        raise ExportError("dataset_invalid", "a token is missing, or an opening")
    if not np.all(np.isfinite(log_w)):
        raise ExportError("dataset_invalid", "a log weight is not a number")
    places = np.searchsorted(contexts["ctx_id"].to_numpy(), bids["ctx_id"].to_numpy())
    return Windows(
        contexts=contexts["ctx_vec"].to_numpy().astype(np.float32),
        ctx=places[rows].astype(np.int64),
        conversation=conversation[rows],
        past=past_windows(log_w, rows, group[rows]),
        token_idx=token_idx[rows],
        label=log_w[rows],
    )


def past_windows(log_w: F64, rows: I64, first: I64) -> F64:
    """[n, 15]: the values before each of `rows`, none from before its trajectory's `first`."""
    before = rows[:, None] + np.arange(-WINDOW, 0)
    window: F64 = log_w[np.maximum(before, first[:, None])]
    return window


def split(windows: Windows, share: float, seed: int) -> tuple[Windows, Windows]:
    """(training, validation): whole conversations, so that no window is in both."""
    names = np.unique(windows.conversation)
    kept = max(1, round(len(names) * share))
    held = np.random.default_rng(seed).permutation(names)[:kept]
    mask = np.isin(windows.conversation, held)
    if mask.all():
        raise ExportError("dataset_empty", "one conversation cannot be split")
    return windows.take(~mask), windows.take(mask)


def _codes(column: pl.Series) -> I64:
    """Equal neighbours share a number."""
    return column.rle_id().to_numpy().astype(np.int64)


def _starts(*codes: I64) -> NDArray[np.bool_]:
    changed = [np.diff(one, prepend=-1) != 0 for one in codes]
    merged: NDArray[np.bool_] = np.logical_or.reduce(changed)
    return merged
