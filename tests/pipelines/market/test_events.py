# SPDX-License-Identifier: Apache-2.0
"""Simulated conversations as live records: settled by the product's own readers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bls.errors import SkynetError
from bls.settlement.faults import Faults
from bls.settlement.reader import Reader
from bls.settlement.recompute import settle
from bls.settlement.record import BIDS, RECEIPTS
from pipelines_dagster.defs.market.auctions import Auctions, draw_auctions, starts, tables
from pipelines_dagster.defs.market.events import RESERVE, clear, write_events
from pipelines_dagster.defs.market.from_events import bids_from_events
from pipelines_dagster.defs.market.params import mix_of
from pipelines_dagster.defs.market.traits import F64
from pipelines_dagster.defs.market.world import World, draw_world

SEED, COUNT = 7, 4


@dataclass(frozen=True)
class Recorded:
    folder: Path
    world: World
    auctions: Auctions
    start: F64


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    rng = np.random.default_rng(SEED)
    world = draw_world(16, 64, rng)
    auctions = draw_auctions(world, mix_of("train"), COUNT, rng)
    start = starts(COUNT, rng)
    folder = tmp_path_factory.mktemp("events")
    assert write_events(folder, auctions, world, SEED, start) == auctions.lengths.sum()
    return Recorded(folder, world, auctions, start)


def test_the_bills_stand(recorded: Recorded) -> None:
    result = settle(recorded.folder)
    assert result.ok and result.undecided == 0 and result.receipts == COUNT
    assert result.tokens == recorded.auctions.lengths.sum()
    assert result.total.charged_micros > 0


def test_an_advertiser_wins_iff_it_beats_the_others_and_the_reserve() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        bids = rng.lognormal(-1, 1.5, rng.integers(1, 8)).astype(np.float32)
        outcome = clear(np.concatenate([[RESERVE], bids]).astype(np.float32))
        threshold = RESERVE + bids.sum() - bids
        won = np.flatnonzero(bids > threshold)
        assert outcome.token == len(won)
        assert np.allclose(outcome.pay[1:][won], threshold[won], rtol=1e-6)
        assert np.allclose(outcome.w_minus[1:], bids.sum() - bids, rtol=1e-5, atol=1e-6)


def test_records_give_the_simulated_series_back(recorded: Recorded) -> None:
    expected, _ = tables(recorded.auctions, recorded.world, SEED, 0, recorded.start)
    found = bids_from_events(recorded.folder)
    same = ["advertiser", "token_idx"]
    assert found.select(same).equals(expected.select(same))
    assert np.allclose(found["log_w"], expected["log_w"], atol=1e-5)
    assert found["ctx_id"].unique().sort().to_list() == list(range(COUNT))


def test_contexts_may_be_named(recorded: Recorded) -> None:
    ids = {f"sim_{SEED}_{conv}": 90 + conv for conv in range(COUNT)}
    found = bids_from_events(recorded.folder, ids)
    assert set(found["ctx_id"]) == set(ids.values())
    with pytest.raises(SkynetError) as refused:
        bids_from_events(recorded.folder, {})
    assert refused.value.code == "unknown_context"


def test_a_reply_without_receipt_has_no_opening(recorded: Recorded, tmp_path: Path) -> None:
    (tmp_path / BIDS).write_bytes((recorded.folder / BIDS).read_bytes())
    assert bids_from_events(tmp_path).select(pl.col("token_idx").min()).item() == 0


def test_a_changed_record_is_refused(recorded: Recorded, tmp_path: Path) -> None:
    for stream in (BIDS, RECEIPTS):
        (tmp_path / stream).write_bytes((recorded.folder / stream).read_bytes())
    text = (tmp_path / BIDS).read_text()
    (tmp_path / BIDS).write_text(text.replace('"token_idx":3', '"token_idx":4', 1))
    with pytest.raises(SkynetError) as refused:
        bids_from_events(tmp_path)
    assert refused.value.code == "records_faulty"


def test_no_log_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(SkynetError) as refused:
        bids_from_events(tmp_path)
    assert refused.value.code == "no_records"


def test_records_have_every_key(recorded: Recorded) -> None:
    line = next(Reader(recorded.folder, Faults()).lines(BIDS))
    assert {"conv_id", "request_id", "token_idx", "ts", "weights", "w_minus"} <= line.keys()
