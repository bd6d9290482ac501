# SPDX-License-Identifier: Apache-2.0
"""One invoice: its lines, cents, payload and period."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bls.errors import SkynetError
from pipelines_dagster.defs.billing.invoice import MICROS_PER_MINOR, Invoice
from pipelines_dagster.defs.billing.period import Period, recent, yesterday
from pipelines_dagster.defs.billing.sinks import FileSink
from tests.pipelines.billing.rig import line


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=31), st.integers(0, 9_999))
def test_lines_add_up_to_the_cent_and_nothing_is_lost(charges: list[int], carry: int) -> None:
    lines = tuple(line(f"2026-10-{n + 1:02d}", micros) for n, micros in enumerate(charges))
    invoice = Invoice("a", "USD", Period.of_month("2026-10"), lines, carry)
    assert sum(invoice.amounts()) == invoice.amount == invoice.payload()["amount_due"]
    assert all(amount >= 0 for amount in invoice.amounts())
    assert invoice.amount * MICROS_PER_MINOR + invoice.carry_out == sum(charges) + carry
    assert 0 <= invoice.carry_out < MICROS_PER_MINOR


def test_the_payload_and_the_files(tmp_path: Path) -> None:
    lines = (line("2026-10-01", 15_000), line("2026-10-02", 5_000))
    invoice = Invoice("acme", "USD", Period.of_month("2026-10"), lines, 4_000, "SKY-202609-acme")
    assert invoice.number == "SKY-202610-acme" and len(invoice.idempotency_key) == 32
    payload = invoice.payload()
    assert payload["customer"] == "acme" and payload["currency"] == "usd"
    assert [row["amount"] for row in payload["lines"]] == [1, 1] and payload["amount_due"] == 2
    assert payload["metadata"]["carry_out_micros"] == 4_000
    sink = FileSink(tmp_path)
    sink.send(invoice)
    sink.send(invoice)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "SKY-202610-acme.csv",
        "SKY-202610-acme.json",
    ]
    rows = list(csv.DictReader((tmp_path / "SKY-202610-acme.csv").open()))
    assert [row["charge_micros"] for row in rows] == ["15000", "5000"]
    with pytest.raises(SkynetError) as caught:
        sink.send(Invoice("acme", "USD", Period.of_month("2026-10"), lines[:1]))
    assert caught.value.code == "invoice_changed"


def test_periods() -> None:
    assert Period.of_month("2026-02").days[-1] == "2026-02-28"
    assert len(Period.of_month("2026-12").days) == 31
    assert Period.of_day("2026-11-22").name == "20261122" and yesterday().over()
    assert not Period.of_day("2026-11-22").over(datetime(2026, 11, 22, 23, 59, tzinfo=UTC))
    for text in ("2026-13", "2026", "x"):
        with pytest.raises(SkynetError):
            Period.of_month(text)
    with pytest.raises(SkynetError):
        Period.of_day("2026-02-30")


def test_the_last_days_the_oldest_first() -> None:
    found = recent(14)
    assert found[-1] == yesterday() and len({one.name for one in found}) == 14
    assert sorted(found, key=lambda one: one.first) == found
