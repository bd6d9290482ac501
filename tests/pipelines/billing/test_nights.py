# SPDX-License-Identifier: Apache-2.0
"""Nights of real simulated records: reconciled, and each charge sent once."""

from __future__ import annotations

import fcntl
from datetime import UTC, datetime

import polars as pl
import pytest

from bls.errors import SkynetError
from bls.settlement.recompute import settle
from pipelines_dagster.defs.billing.charges import charges_of
from pipelines_dagster.defs.billing.invoice import MICROS_PER_MINOR
from pipelines_dagster.defs.billing.issued import TABLE, issued
from pipelines_dagster.defs.billing.period import Period
from pipelines_dagster.defs.billing.run import invoice_period
from pipelines_dagster.defs.gdpr.erase import erase
from tests.pipelines.billing.rig import Kept, busiest, days, full
from tests.pipelines.gdpr.world import World


def test_the_lake_says_what_the_ledger_says(world: World) -> None:
    night = invoice_period(world.settings, full(world.lake), None)
    accounts = settle(world.logs).accounts
    assert night.held == {} and night.changed == []
    assert {one.advertiser: one.total_micros for one in night.sent} == {
        name: account.charged_micros for name, account in accounts.items()
    }
    assert night.total_micros > 0
    assert sum(line.tokens for one in night.sent for line in one.lines) == sum(
        account.tokens for account in accounts.values()
    )
    for one in night.sent:
        assert all(line.charge_micros == line.recomputed_micros for line in one.lines)
    charges = charges_of(world.lake, busiest(world.lake), world.logs)
    assert charges.compared and charges.currency == "USD"
    assert sum(line.impressions for line in charges.lines.values()) > 0


def test_the_same_night_twice_sends_nothing_twice(world: World) -> None:
    sink, period = Kept(), full(world.lake)
    first = invoice_period(world.settings, period, sink)
    again = invoice_period(world.settings, period, sink)
    assert len(sink.taken) == len(first.sent) > 0
    assert again.sent == [] and again.stood == [one.number for one in first.sent]
    assert world.lake.scan(TABLE).select(pl.len()).collect().item() == len(first.sent)


def test_a_crash_between_sending_and_noting_sends_the_same_again(world: World) -> None:
    sink = Kept(fail_after=2)
    with pytest.raises(KeyboardInterrupt):
        invoice_period(world.settings, full(world.lake), sink)
    rows = world.lake.scan(TABLE).collect()
    world.lake.replace(TABLE, rows.filter(pl.col("number") != rows["number"][-1]))
    invoice_period(world.settings, full(world.lake), sink)
    by_number: dict[str, set[str]] = {}
    for one in sink.taken:
        by_number.setdefault(one.number, set()).add(one.sha256)
    assert all(len(found) == 1 for found in by_number.values()), "same number, same content"
    assert len(sink.taken) == len(by_number) + 1


def test_days_carry_what_is_under_a_cent(world: World) -> None:
    sink = Kept()
    assert len(days(world.lake)) > 1
    for day in days(world.lake):
        invoice_period(world.settings, Period.of_day(day), sink)
    accounts = settle(world.logs).accounts
    for advertiser, past in issued(world.lake).items():
        mine = [one for one in sink.taken if one.advertiser == advertiser]
        total = sum(one.amount for one in mine) * MICROS_PER_MINOR + past[-1].carry_out
        assert total == accounts[advertiser].charged_micros
        assert [one.previous for one in mine] == ["", *[one.number for one in mine[:-1]]]


def test_a_month_and_its_days_are_not_both_invoiced(world: World) -> None:
    day = busiest(world.lake)
    invoice_period(world.settings, Period.of_day(day), Kept())
    billed = set(issued(world.lake))
    night = invoice_period(world.settings, Period.of_month(day[:7]), None)
    assert set(night.held) == billed
    assert all("invoiced already" in why for why in night.held.values())


def test_after_an_erasure_what_was_sent_stands(world: World) -> None:
    rows = world.lake.scan("bronze/e2e_trace").filter(conv_id=world.conv).collect()
    lines = rows["lines"].explode().struct.unnest()
    paid = set(lines.filter(pl.col("charge_micros") > 0)["advertiser"])
    invoice_period(world.settings, full(world.lake), Kept())
    erase(world.settings, conv_id=world.conv)
    erase(world.settings, adv_id=world.adv)
    night = invoice_period(world.settings, full(world.lake), None)
    assert night.held == {} and night.sent == []
    told = {number.split("-")[-1] for number in night.changed}
    assert told <= paid - {world.adv} and world.adv not in told


def test_erased_before_it_was_invoiced(world: World) -> None:
    erase(world.settings, conv_id=world.conv)
    erase(world.settings, adv_id=world.adv)
    night = invoice_period(world.settings, full(world.lake), None)
    assert night.held == {} and night.sent
    assert world.adv not in {one.advertiser for one in night.sent}


def test_a_day_that_is_not_over_and_a_second_run(world: World) -> None:
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    with pytest.raises(SkynetError) as caught:
        invoice_period(world.settings, Period.of_day(today), Kept())
    assert caught.value.code == "period_not_over"
    with (world.settings.serving.state / "invoices.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SkynetError) as caught:
            invoice_period(world.settings, Period.of_day("2020-01-01"), Kept())
    assert caught.value.code == "invoices_locked"
