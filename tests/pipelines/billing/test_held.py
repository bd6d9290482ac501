# SPDX-License-Identifier: Apache-2.0
"""What does not add up is held, for whom it concerns, until it does."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from bls.settings import Settings
from bls.settlement.recompute import settle
from pipelines_dagster.defs.billing.charges import charges_of
from pipelines_dagster.defs.billing.invoice import Invoice
from pipelines_dagster.defs.billing.issued import note
from pipelines_dagster.defs.billing.period import Period
from pipelines_dagster.defs.billing.run import STREAM, invoice_period
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.settings import PipelineSettings
from tests.pipelines.billing.rig import Kept, busiest, days, full, line
from tests.pipelines.bronze_of import ingest
from tests.pipelines.gdpr.world import World, record


def rewrite(lake: Lake, table: str, change: pl.Expr) -> None:
    rows = lake.scan(table).collect().with_columns(change)
    lake.replace(table, rows)


def test_a_record_that_was_changed_holds_everybody(world: World) -> None:
    rewrite(world.lake, "bronze/auction_vcg", (pl.col("pay").list.eval(pl.element() * 2)))
    sink = Kept()
    night = invoice_period(world.settings, full(world.lake), sink)
    assert sink.taken == [] and "records in doubt" in night.held[""]
    lines = (world.logs / STREAM).read_bytes().splitlines()
    assert any(json.loads(line)["event"] == "held" for line in lines)


@pytest.mark.parametrize("table", ["bronze/auction_vcg", "bronze/auction_bids", "bronze/e2e_trace"])
def test_what_is_not_in_the_lake_yet_is_held(world: World, table: str) -> None:
    rows = world.lake.scan(table).collect()
    world.lake.replace(table, rows.head(len(rows) - 1))
    night = invoice_period(world.settings, full(world.lake), Kept())
    assert night.held
    world.lake.replace(table, rows)
    later = Kept()
    assert invoice_period(world.settings, full(world.lake), later).held == {}
    assert later.taken, "it comes with the next run"


@pytest.mark.parametrize("table", ["bronze/auction_vcg", "bronze/e2e_trace"])
def test_a_row_twice_is_held(world: World, table: str) -> None:
    world.lake.append(table, world.lake.scan(table).collect().head(1))
    night = invoice_period(world.settings, full(world.lake), Kept())
    assert "duplicate" in night.held[""] and night.sent == []


def test_a_receipt_that_the_ledger_does_not_have_holds_its_advertisers(world: World) -> None:
    path = world.logs / "e2e.trace"
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-2]))  # one of them was charged
    night = invoice_period(world.settings, full(world.lake), None)
    assert night.held and {"the lake and the ledger differ"} == {
        why.partition(": ")[2] for why in night.held.values()
    }
    path.write_bytes(whole.replace(b'"charge_micros":', b'"charge_micros":1', 1))
    assert "chain" in invoice_period(world.settings, full(world.lake), None).held[""]


def test_two_currencies_are_not_added(world: World) -> None:
    mixed = pl.when(pl.col("conv_id") == world.conv).then(pl.lit("EUR"))
    rewrite(world.lake, "bronze/e2e_trace", mixed.otherwise(pl.col("currency")).alias("currency"))
    charges = charges_of(world.lake, "2025-01-01", None)
    assert "several currencies" in charges.held[""]


def test_a_period_of_two_currencies_is_held(world: World) -> None:
    first = days(world.lake)[0]
    euro = pl.when(pl.col("dt") == first).then(pl.lit("EUR")).otherwise(pl.col("currency"))
    rewrite(world.lake, "bronze/e2e_trace", euro.alias("currency"))
    night = invoice_period(world.settings, full(world.lake), Kept())
    assert "several currencies: EUR, USD" in night.held[""] and night.sent == []


def test_no_remainder_changes_its_currency(world: World) -> None:
    past = Period.of_day("2020-01-01")
    day = Period.of_day(busiest(world.lake))
    for name in {row.advertiser for row in invoice_period(world.settings, day, None).sent}:
        note(world.lake, Invoice(name, "EUR", past, (line("2020-01-01", 14_000),)))
    night = invoice_period(world.settings, day, Kept())
    assert night.sent and all((one.carry_in, one.previous) == (0, "") for one in night.sent)


def test_no_ledger_here_and_no_rows(world: World, tmp_path: Path) -> None:
    *_, before, last = days(world.lake)
    charges = charges_of(world.lake, before, tmp_path / "none")
    assert charges.compared is None and charges.lines and not charges.held
    assert "may not have all" in charges_of(world.lake, last, None).held[""]
    line = world.lake.scan("bronze/e2e_trace").collect().head(1)
    origin = {"cluster": "c1", "ranges": '{"0": [1000000, 1000001]}'}
    world.lake.append("bronze/e2e_trace", line.with_columns(dt=pl.lit("2020-01-01")), origin=origin)
    assert "has a gap" in charges_of(world.lake, before, None).held[""]
    empty = PipelineSettings(Settings(state=tmp_path / "empty"))
    assert invoice_period(empty, Period.of_day("2020-01-01"), Kept()).sent == []


def test_rows_of_another_host_are_not_asked_of_this_ledger(world: World, tmp_path: Path) -> None:
    record(tmp_path / "other", 8, 3)
    other = Lake(str(tmp_path / "lake2"))
    ingest(other, tmp_path / "other")
    for table in ("auction_bids", "auction_vcg", "e2e_trace"):
        rows = other.scan(f"bronze/{table}").collect().with_columns(source=pl.lit("elsewhere"))
        world.lake.append(
            f"bronze/{table}",
            rows.select(world.lake.scan(f"bronze/{table}").collect_schema().names()),
        )
    night = invoice_period(world.settings, full(world.lake), None)
    assert night.held == {} and night.total_micros > settle(world.logs).total.charged_micros
