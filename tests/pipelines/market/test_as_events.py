# SPDX-License-Identifier: Apache-2.0
"""Traffic by whole columns is the traffic that is recorded token by token."""

from __future__ import annotations

from pathlib import Path

import fastavro
import numpy as np
import polars as pl
import pytest

from bls.errors import SkynetError
from bls.events.schema import encode, schema
from bls.events.topics import REPLY, TOPICS
from bls.settlement.chain import GENESIS, link, split
from bls.settlement.faults import Faults
from bls.settlement.ledger import Ledger
from bls.settlement.reader import Json, Reader
from bls.settlement.recompute import settle
from pipelines_dagster.defs.datasets.bronze import as_bronze, columns
from pipelines_dagster.defs.market.as_events import (
    BUCKETS,
    Streams,
    Traffic,
    Versions,
    events,
    record,
    simulate_events,
)
from pipelines_dagster.defs.market.auctions import draw_auctions, starts
from pipelines_dagster.defs.market.clearing import clear_all
from pipelines_dagster.defs.market.events import write_events
from pipelines_dagster.defs.market.hosted import host
from pipelines_dagster.defs.market.params import mix_of
from pipelines_dagster.defs.market.spool import write_spool
from pipelines_dagster.defs.market.tracks import Played
from pipelines_dagster.defs.market.world import draw_world

COUNT = 6


def forecast(features: np.ndarray) -> np.ndarray:
    """A mixture that says the mean of the window."""
    mean = features[:, 143]
    return np.stack([mean, mean * 0 + 0.1, mean, mean * 0 + 0.2, mean * 0 + 0.5], 1)


@pytest.fixture(scope="module")
def streams() -> Streams:
    versions = Versions(forecast, predictor="ab" * 8, tve="cd" * 8)
    return simulate_events(Traffic(4, COUNT, contexts=16, ads=64), versions=versions)


def same(found: Json, expected: Json, place: str = "") -> None:
    assert found.keys() == expected.keys(), place
    for name, value in expected.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            assert len(found[name]) == len(value)
            for one, other in zip(found[name], value, strict=True):
                same(one, other, f"{place}.{name}")
        elif isinstance(value, str | bool) or value is None:
            assert found[name] == value, f"{place}.{name}"
        elif isinstance(value, list) and value and isinstance(value[0], str):
            assert found[name] == value
        else:
            assert np.allclose(found[name], value, rtol=1e-6, atol=1e-9), f"{place}.{name}"


def test_the_lines_are_those_of_the_slow_writer(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    world = draw_world(16, 64, rng)
    auctions = draw_auctions(world, mix_of("train"), 4, rng, truth=False)
    start = starts(4, rng)
    write_events(tmp_path / "slow", auctions, world, 9, start)
    hosted = host(auctions, world, rng, BUCKETS, None)
    written = record(Played(auctions, world, 9, start, clear_all(auctions)), hosted)
    write_spool(tmp_path / "fast", written)
    for topic in ("auction.bids", "auction.vcg", "e2e.trace"):
        fast, slow = (list(Reader(tmp_path / n, Faults()).lines(topic)) for n in ("fast", "slow"))
        assert len(fast) == len(slow) == len(written[topic])
        for one, other in zip(fast, slow, strict=True):
            same(one, other, topic)


def test_the_bills_stand(streams: Streams, tmp_path: Path) -> None:
    assert write_spool(tmp_path, streams) == sum(map(len, streams.values()))
    result = settle(tmp_path)
    assert result.ok and result.receipts == COUNT and result.total.charged_micros > 0
    chain = GENESIS
    told = (tmp_path / "click.logs").read_bytes().splitlines()
    for line in told:
        body, stated = split(line) or (b"", "")
        chain = link(chain, body)
        assert chain == stated
    assert len(told) == len(streams["click.logs"])
    lines = (tmp_path / "mro.select").read_text().splitlines()
    assert len(lines) == len(streams["mro.select"]) and '"chain"' not in lines[0]


def test_more_traffic_goes_on_with_the_chain(streams: Streams, tmp_path: Path) -> None:
    for seed in (1, 2):
        write_spool(tmp_path, simulate_events(Traffic(seed, 2, contexts=16, ads=64)))
    assert settle(tmp_path).receipts == 4


def test_a_folder_that_a_server_writes_is_refused(streams: Streams, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, lambda fault: None)
    try:
        with pytest.raises(SkynetError) as refused:
            write_spool(tmp_path, streams)
        assert refused.value.code == "ledger_locked"
    finally:
        ledger.close()


def test_every_line_fits_its_schema(streams: Streams) -> None:
    """Avro takes the bronze row of every topic; ids are unique."""
    of_replies = {name for name, topic in TOPICS.items() if topic.about == REPLY}
    assert streams.keys() == of_replies - {"auction.policy", "predictor.errors"}
    for topic, lines in streams.items():
        rows = as_bronze(topic, lines, "sim", 5)
        assert (
            rows.schema == pl.Schema(columns(topic)) and not rows.null_count().sum_horizontal()[0]
        )
        assert rows["event_id"].is_unique().all() and rows["seq"][0] == 6
        names = {field["name"] for field in schema(topic)["fields"]}
        for event in rows.head(3).select(names).iter_rows(named=True):
            assert fastavro.validate(event, schema(topic)) and encode(topic, event)


def test_forecasts_are_of_what_came_before(streams: Streams) -> None:
    decided = streams["mpc.decisions"].filter(pl.col("row") == 1).sort("conv_id", "token_idx")
    bids = streams["auction.bids"].sort("conv_id", "token_idx")
    log_w = bids["w_minus"].list.get(1).clip(0.01).log()
    second = bids["token_idx"] == 1
    opening = streams["e2e.trace"].sort("conv_id")["lines"].list.eval(pl.element().struct["bid"])
    before = (opening.list.sum() - opening.list.get(0)).clip(0.01).log()
    first = log_w.filter(bids["token_idx"] == 0)
    expected = (14 * before + first) / 15  # fourteen times the opening, then the first token
    assert np.allclose(decided["mu1"].filter(second), expected, atol=1e-4)
    assert set(decided["predictor"]) == {"ab" * 8} and set(decided["alpha"]) == {0.5}
    assert np.allclose(decided["weight"], bids["weights"].list.get(1))


def test_clicks_come_after_and_are_of_what_was_shown(streams: Streams) -> None:
    key = ["conv_id", "request_id", "advertiser"]
    both = streams["click.logs"].join(streams["tve.feedback"], on=key, suffix="_shown")
    assert both.height == len(streams["click.logs"]) == len(streams["mro.select"])
    assert (both["ts"] > both["ts_shown"]).all() and both["delivered"].min() >= 1
    assert both["clicks"].sum() > 0 and set(streams["tve.feedback"]["tve"]) == {"cd" * 8}
    assert streams["click.logs"]["ts"].is_sorted()


def test_events_come_in_the_order_of_time(streams: Streams) -> None:
    told = list(events(streams))
    ts = [line["ts"] for _, line in told]
    assert ts == sorted(ts) and len(told) == sum(map(len, streams.values()))
    assert {topic for topic, _ in told} == streams.keys()


def test_the_seed_fixes_every_line() -> None:
    one, two, other = (simulate_events(Traffic(s, 2, contexts=16, ads=64)) for s in (1, 1, 2))
    assert all(one[topic].equals(two[topic]) for topic in one)
    assert not one["auction.bids"].equals(other["auction.bids"])


@pytest.mark.parametrize("wrong", [{"conversations": 0}, {"ads": 0}, {"gap_s": -1.0}])
def test_sizes_below_one_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SkynetError):
        Traffic(1, **wrong)  # type: ignore[arg-type]
    with pytest.raises(SkynetError):
        simulate_events(Traffic(1, scenario="none"))
