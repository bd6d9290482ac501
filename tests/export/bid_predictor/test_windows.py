# SPDX-License-Identifier: Apache-2.0
"""Training windows are what a server would have seen, token by token."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bls.brain.features import pad
from export.bid_predictor.truth import load_truth
from export.bid_predictor.windows import Windows, load_windows, split
from export.errors import ExportError
from pipelines_dagster.defs.market.dataset import read_table
from pipelines_dagster.defs.market.schema import BIDS, CONTEXTS


def _folder(folder: Path, rows: list[tuple[str, str, int, float]]) -> Path:
    conv, advertiser, token, log_w = zip(*rows, strict=True)
    bids = {
        "conv_id": conv,
        "advertiser": advertiser,
        "ctx_id": [3] * len(rows),
        "token_idx": token,
        "ts": [0.0] * len(rows),
        "log_w": log_w,
    }
    contexts = {"ctx_id": [1, 3], "ctx_vec": np.eye(2, 128)}
    pl.DataFrame(bids).cast(BIDS).write_parquet(folder / "bids.parquet")
    pl.DataFrame(contexts).cast(CONTEXTS).write_parquet(folder / "contexts.parquet")
    return folder


def test_every_window_is_the_padded_history(dataset: Path, windows: Windows) -> None:
    bids = read_table(dataset, "bids").sort("conv_id", "advertiser", "token_idx")
    row = 0
    for (_, _), part in bids.group_by("conv_id", "advertiser", maintain_order=True):
        seen = part["log_w"].cast(pl.Float64).to_list()
        for token in range(len(seen) - 1):
            assert np.array_equal(windows.past[row], pad(seen[: token + 1]))
            assert windows.label[row] == seen[token + 1]
            assert windows.token_idx[row] == token
            row += 1
        if row > 3000:
            break


def test_rows_find_their_context_and_may_come_in_any_order(tmp_path: Path) -> None:
    rows = [("b", "x", 0, 2.0), ("a", "x", -1, 0.5), ("b", "x", -1, 1.0), ("a", "x", 0, 0.75)]
    found = load_windows(_folder(tmp_path, rows))
    assert found.label.tolist() == [0.75, 2.0]
    assert found.past[:, 0].tolist() == [0.5, 1.0]
    assert np.array_equal(found.features()[0, :128], np.eye(2, 128, dtype=np.float32)[1])


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([("a", "x", 0, 1.0)], "dataset_invalid"),
        ([("a", "x", -1, 1.0), ("a", "x", 1, 1.0)], "dataset_invalid"),
        ([("a", "x", -1, 1.0), ("a", "y", 0, 1.0)], "dataset_invalid"),
        ([("a", "x", -1, 1.0), ("a", "x", 0, float("nan"))], "dataset_invalid"),
        ([("a", "x", -1, 1.0)], "dataset_empty"),
    ],
)
def test_a_broken_history_is_refused(
    tmp_path: Path, rows: list[tuple[str, str, int, float]], code: str
) -> None:
    with pytest.raises(ExportError, match=code):
        load_windows(_folder(tmp_path, rows))


def test_no_conversation_is_on_both_sides(windows: Windows) -> None:
    training, held = split(windows, 0.2, seed=1)
    assert not set(training.conversation) & set(held.conversation)
    assert len(training) + len(held) == len(windows)
    with pytest.raises(ExportError, match="dataset_empty"):
        split(windows.take(windows.conversation == windows.conversation[0]), 0.2, 1)


def test_the_truth_lines_up_with_the_windows(dataset: Path, windows: Windows) -> None:
    truth = load_truth(dataset, len(windows))
    z = (windows.label - truth.mean)[truth.sd > 0] / truth.sd[truth.sd > 0]
    assert abs(z.mean()) < 0.1
    assert 0.8 < z.std() < 1.2
    assert truth.off_mean(truth.mean) == 0
    with pytest.raises(ExportError, match="dataset_invalid"):
        load_truth(dataset, 1)
