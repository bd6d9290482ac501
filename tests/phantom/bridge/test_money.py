# SPDX-License-Identifier: Apache-2.0
"""The money rule wherever money is counted: settlement, invoices, budgets, after a kill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some

from bls.ads.database import open_database
from bls.ads.flight import Flight
from bls.ads.ledger import Ledger as Money
from bls.ads.migrate import migrate
from bls.brain.budget.reconcile import reconcile, reply_key
from bls.events.from_line import from_line
from bls.events.schema import encode
from bls.events.topics import TOPICS
from bls.phantom.bridge import DIALS, Ruling
from bls.settlement.faults import Fault, Faults
from bls.settlement.reader import Reader
from bls.settlement.recompute import settle
from bls.settlement.record import STREAMS, ReceiptRecord, Record
from bls.settlement.refunds import billed, net
from bls.settlement.replay import replay
from pipelines_dagster.defs.billing.charges import Line, charges_of
from pipelines_dagster.defs.billing.invoice import MICROS_PER_MINOR, Invoice
from pipelines_dagster.defs.billing.period import Period
from pipelines_dagster.defs.ingest.decode import Batch, decode
from pipelines_dagster.lake.lake import Lake
from tests.bls.ads.flights import give
from tests.settlement.workshop import Workshop, write

MICROS = some.integers(0, 10**9)


def receipt_of(charges: list[int], score: float | None) -> dict[str, Any]:
    """As the reply loop makes it."""
    ruling = Ruling.of(score, DIALS, len(charges), ())
    refunds = ruling.refunds(charges)
    return {
        "completion_tokens": 3,
        "total_micros": sum(charges),
        "lines": [
            {"advertiser": f"adv_{row}", "row": row, "charge_micros": charge}
            for row, charge in enumerate(charges, 1)
        ],
        "refunds": [{"row": n, "refund_micros": r} for n, r in enumerate(refunds, 1) if r],
        "traffic": ruling.as_json(),
    }


@pytest.mark.spec("PH-12")
@given(some.lists(MICROS, max_size=8), some.none() | some.floats(0, 1))
def test_charged_is_refunded_and_net(charges: list[int], score: float | None) -> None:
    receipt = receipt_of(charges, score)
    lines = billed(receipt)
    assert [line.charged for line in lines] == charges
    assert sum(line.charged for line in lines) == sum(line.refunded + line.net for line in lines)
    assert [line.net for line in lines] == ([0] * len(charges) if DIALS.invalid(score) else charges)
    assert net(receipt) == {line.advertiser: line.net for line in lines}
    assert billed(orjson.loads(orjson.dumps(receipt))) == lines  # telling it again changes nothing


@pytest.mark.spec("PH-12")
@given(some.lists(some.integers(1, 10**9), min_size=1, max_size=4), some.data())
def test_refunds_that_are_not_the_rules_are_refused(charges: list[int], data: Any) -> None:
    receipt = receipt_of(charges, 0.99)
    refunds = receipt["refunds"]
    kind = data.draw(some.sampled_from(["less", "more", "none", "twice", "nobody", "valid"]))
    if kind == "less":
        refunds[0]["refund_micros"] -= 1
    elif kind == "more":
        refunds[0]["refund_micros"] += 1
    elif kind == "none":
        receipt["refunds"] = []
    elif kind == "twice":
        refunds.append(dict(refunds[0]))
    elif kind == "nobody":
        refunds.append({"row": len(charges) + 1, "refund_micros": 1})
    else:
        receipt["traffic"]["valid"] = True
    with pytest.raises((ValueError, KeyError)):
        billed(receipt)


def test_receipts_of_older_builds_refund_nothing() -> None:
    receipt = receipt_of([5, 7], None)
    for name in ("refunds", "traffic"):
        del receipt[name]
    for missing in (receipt, receipt | {"refunds": None, "traffic": None}):
        assert [line.net for line in billed(missing)] == [5, 7]
        assert net(missing) == {"adv_1": 5, "adv_2": 7}


@pytest.fixture
def records(workshop: Callable[..., Workshop]) -> list[Record]:
    """Four replies; the second and the last were read by programs, the third has no session."""
    shop, found = workshop(), list[Record]()
    for score in (0.3, 0.99, None, 0.95):
        *tokens, last = shop.reply(12)
        assert isinstance(last, ReceiptRecord)
        found += [*tokens, _judged(last, score)]
    return found


def _judged(record: ReceiptRecord, score: float | None) -> ReceiptRecord:
    lines: Any = record.receipt["lines"]
    charges = [line["charge_micros"] for line in lines]
    told = receipt_of(charges, score)
    extra = {"refunds": told["refunds"], "traffic": told["traffic"]} if score else {}
    rest = {"finish_reason": "stop", "sponsored_tokens": 1, "charge_rule": "clarke"}
    money = {"currency": "USD", "micros_per_weight": 1_000}
    return replace(record, receipt=record.receipt | rest | money | extra)


@pytest.fixture
def logs(records: list[Record], tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    write(folder, records)
    return folder


@pytest.mark.spec("PH-12")
def test_settle_and_audit_reconcile(logs: Path, tmp_path: Path) -> None:
    result = settle(logs)
    assert result.ok and not result.faults.counts
    total = result.total
    assert total.difference_micros == 0 < total.refunded_micros < total.charged_micros
    receipts = list(Reader(logs, Faults()).receipts().values())
    invalid = [r["total_micros"] for r in receipts if not r.get("traffic", {}).get("valid", True)]
    assert len(invalid) == 2 and total.refunded_micros == sum(invalid)
    assert total.net_micros == sum(sum(net(receipt).values()) for receipt in receipts)
    audited = replay(logs, tmp_path / "audit.csv")
    assert audited.ok and audited.tokens == 48  # what the auction decided stays as it was


@pytest.mark.spec("PH-12")
def test_a_refund_that_was_tampered_with_is_a_fault(records: list[Record], tmp_path: Path) -> None:
    last = records[-1]
    assert isinstance(last, ReceiptRecord)
    write(tmp_path, [*records[:-1], replace(last, receipt=last.receipt | {"refunds": []})])
    result = settle(tmp_path)
    assert not result.ok and result.faults.counts[Fault.MALFORMED] == 1


@pytest.mark.spec("PH-12")
def test_invoices_ask_for_the_net(logs: Path, tmp_path: Path) -> None:
    """Through Avro and the decoder of ingest into a lake, and against the ledger."""
    lake = Lake(str(tmp_path / "lake"))
    for stream in STREAMS:
        lake.append(f"bronze/{TOPICS[stream].table}", _bronze(stream, logs))
    day = lake.scan("bronze/e2e_trace").collect()["dt"][0]
    found = charges_of(lake, day, logs)
    assert found.held == {} and found.compared == 4
    accounts = settle(logs).accounts
    for name, line in found.lines.items():
        assert line.net_micros == accounts[name].net_micros
        assert line.charge_micros == line.recomputed_micros == accounts[name].charged_micros
    assert sum(line.refund_micros for line in found.lines.values()) > 0
    name, line = next(iter(found.lines.items()))
    invoice = Invoice(name, "USD", Period.of_day(day), (line,))
    assert invoice.total_micros == line.net_micros
    assert invoice.payload()["lines"][0]["metadata"]["refund_micros"] == line.refund_micros
    assert f",{line.charge_micros},{line.refund_micros}," in invoice.as_csv()


def test_a_refund_that_the_lake_lost_holds_its_advertiser(logs: Path, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    for stream in STREAMS:
        rows = _bronze(stream, logs)
        if "refunds" in rows.columns:
            rows = rows.drop("refunds", "traffic")
        lake.append(f"bronze/{TOPICS[stream].table}", rows)
    day = lake.scan("bronze/e2e_trace").collect()["dt"][0]
    assert set(charges_of(lake, day, logs).held.values()) == {"the lake and the ledger differ"}


def _bronze(stream: str, logs: Path) -> Any:
    lines = [orjson.dumps(line) for line in Reader(logs, Faults()).lines(stream)]
    events = [from_line(stream, line, "test", n) for n, line in enumerate(lines, 1)]
    count = len(events)
    batch = Batch(
        stream,
        [encode(stream, event) for event in events],
        np.zeros(count, np.int32),
        np.arange(count),
        np.zeros(count, np.int64),
    )
    found = decode(batch)
    assert not found.bad
    return found.rows


@given(some.lists(some.tuples(MICROS, some.booleans()), min_size=1, max_size=20), MICROS)
def test_an_invoice_with_refunds_adds_up(days: list[tuple[int, bool]], carry: int) -> None:
    lines = tuple(
        Line("2026-01-01", 1, 1, 1, micros, micros, micros * back) for micros, back in days
    )
    invoice = Invoice("a", "USD", Period.of_day("2026-01-01"), lines, carry % MICROS_PER_MINOR)
    asked = sum(micros for micros, back in days if not back)
    assert invoice.amount * MICROS_PER_MINOR + invoice.carry_out == asked + invoice.carry_in
    assert sum(invoice.amounts()) == invoice.amount


@pytest.mark.spec("PH-13")
def test_after_a_kill_a_refunded_reply_costs_nothing(logs: Path, tmp_path: Path) -> None:
    """Its receipt was written, its budget not yet settled; the next start does it, once."""
    engine = open_database(f"sqlite:///{tmp_path / 'budgets.db'}")
    migrate(engine)
    receipts = list(Reader(logs, Faults()).receipts().items())
    names = [line["advertiser"] for line in receipts[0][1]["lines"]]
    give(engine, {name: Flight(budget_micros=10**9, start=0, end=10_000) for name in names})
    dying = Money(engine, "server", "before", wall=lambda: 5.0)
    for key, _ in receipts:
        for name in names:
            dying.reserve(name, reply_key(*key), 10**6)
    dying.reserve(names[0], reply_key("killed", "before its receipt"), 10**6)
    after = Money(engine, "server", "now", wall=lambda: 5.0)
    assert reconcile(after, logs) == 4 * len(names) + 1
    assert reconcile(after, logs) == 0
    accounts = settle(logs).accounts
    for name in names:
        account = after.last(name)
        assert account is not None and account.spent == accounts[name].net_micros
        assert account.free == 10**9 - account.spent
    engine.dispose()
