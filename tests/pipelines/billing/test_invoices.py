# SPDX-License-Identifier: Apache-2.0
"""Invoices of real simulated records: reconciled, sent once, held when anything does not add up."""

from __future__ import annotations

import csv
import fcntl
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bls.errors import SkynetError
from bls.settings import Settings
from bls.settlement.recompute import settle
from client.commands.invoices import invoices as command
from pipelines_dagster.defs.billing.charges import Line, charges_of
from pipelines_dagster.defs.billing.definitions import DEFS
from pipelines_dagster.defs.billing.invoice import MICROS_PER_MINOR, Invoice
from pipelines_dagster.defs.billing.issued import TABLE, issued, note
from pipelines_dagster.defs.billing.period import Period, recent, yesterday
from pipelines_dagster.defs.billing.run import STREAM, invoice_period
from pipelines_dagster.defs.billing.sinks import FileSink, HttpSink, InvoiceSink, open_sink
from pipelines_dagster.defs.gdpr.erase import erase
from pipelines_dagster.defs.operations.jobs import JOBS
from pipelines_dagster.defs.operations.plan import INVOICES
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.resources import Pipelines
from pipelines_dagster.settings import PipelineSettings
from tests.pipelines.bronze_of import ingest
from tests.pipelines.gdpr.world import World, copied, make, record


@dataclass
class Kept:
    """A sink that remembers; `fail_after` invoices it dies, once."""

    taken: list[Invoice] = field(default_factory=list)
    fail_after: int = -1

    def send(self, invoice: Invoice) -> None:
        if len(self.taken) == self.fail_after:
            self.fail_after = -1
            raise KeyboardInterrupt
        self.taken.append(invoice)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make(tmp_path_factory.mktemp("template"))


@pytest.fixture
def world(template: World, tmp_path: Path) -> World:
    return copied(template, tmp_path / "state")


def days(lake: Lake) -> list[str]:
    return sorted(lake.scan("bronze/e2e_trace").collect()["dt"].unique())


def full(lake: Lake) -> Period:
    """From the first day with receipts to the last."""
    found = days(lake)
    return Period(Period.of_day(found[0]).first, Period.of_day(found[-1]).last)


def busiest(lake: Lake) -> str:
    return str(Counter(lake.scan("bronze/e2e_trace").collect()["dt"]).most_common(1)[0][0])


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


def line(day: str, micros: int) -> Line:
    return Line(day, 3, 1, 1, micros, micros)


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


@dataclass
class Service:
    """A payment service over HTTP: answers `statuses` in turn, keeps what it accepts by key."""

    url: str
    statuses: list[int]
    kept: dict[str, Any]
    asked: list[dict[str, str]]


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service("", [], {}, [])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.asked.append(dict(self.headers))
            status = found.statuses.pop(0) if found.statuses else 200
            if status == 0:  # taken, and the answer lost
                found.kept.setdefault(self.headers["Idempotency-Key"], body)
                self.close_connection = True
                return
            if status < 300:
                found.kept.setdefault(self.headers["Idempotency-Key"], body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}/v1/invoices"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


def test_a_service_takes_an_invoice_once_whatever_it_answers(service: Service) -> None:
    invoice = Invoice("acme", "USD", Period.of_day("2026-10-01"), (line("2026-10-01", 20_000),))
    service.statuses = [500, 0, 429]
    sink = HttpSink(service.url, "s3cret", pause_s=0.001)
    sink.send(invoice)
    sink.send(invoice)
    assert len(service.asked) == 5 and list(service.kept) == [invoice.idempotency_key]
    assert service.kept[invoice.idempotency_key]["amount_due"] == 2
    assert service.asked[0]["Authorization"] == "Bearer s3cret" and "s3cret" not in repr(sink)


@pytest.mark.parametrize(
    ("statuses", "code"), [([402], "invoice_refused"), ([503] * 5, "sink_unreachable")]
)
def test_a_service_that_refuses(service: Service, statuses: list[int], code: str) -> None:
    invoice = Invoice("acme", "USD", Period.of_day("2026-10-01"), (line("2026-10-01", 20_000),))
    service.statuses = statuses
    with pytest.raises(SkynetError) as caught:
        HttpSink(service.url, "k", pause_s=0.001).send(invoice)
    assert caught.value.code == code


def test_which_sink(tmp_path: Path) -> None:
    assert isinstance(open_sink(tmp_path, {}), FileSink)
    http: InvoiceSink = open_sink(
        tmp_path, {"INVOICES_URL": "https://pay.example/v1", "INVOICES_KEY": "k"}
    )
    assert isinstance(http, HttpSink)
    for given_env, code in (
        ({"INVOICES_URL": "https://pay.example/v1"}, "missing_secret"),
        ({"INVOICES_URL": "http://pay.example/v1", "INVOICES_KEY": "k"}, "bad_setting"),
        ({"INVOICES_URL": "nonsense", "INVOICES_KEY": "k"}, "bad_setting"),
    ):
        with pytest.raises(SkynetError) as caught:
            open_sink(tmp_path, given_env)
        assert caught.value.code == code


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


def test_the_command_and_the_asset(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYNET_STATE", str(world.settings.serving.state))
    monkeypatch.delenv("INVOICES_URL", raising=False)
    run, day = CliRunner().invoke, busiest(world.lake)
    dry = run(command, ["--day", day, "--dry-run"])
    assert dry.exit_code == 0 and "to send" in dry.output and issued(world.lake) == {}
    done = run(command, ["--day", day, "--json"])
    assert done.exit_code == 0 and json.loads(done.output)["sent"]
    again = run(command, ["--day", day])
    assert "sent before" in again.output and "0 sent" in again.output
    held = run(command, ["--month", day[:7], "--dry-run"])
    assert held.exit_code == 1 and "HELD" in held.output
    assert run(command, ["--day", day, "--month", day[:7]]).exit_code == 2
    files = list((world.settings.serving.state / "invoices").iterdir())
    assert len(files) == 2 * len(issued(world.lake))
    defs = dg.Definitions.merge(
        DEFS, dg.Definitions(resources={"pipelines": Pipelines()}, jobs=[JOBS["invoices"]])
    )
    result = defs.resolve_job_def("invoices").execute_in_process()
    assert result.success and all(one.passed for one in result.get_asset_check_evaluations())
    (event,) = result.get_asset_materialization_events()
    assert {"compared", "held"} <= set(event.materialization.metadata)
    metrics = world.settings.serving.state / "metrics"
    assert "orch_invoices_sent 0" in (metrics / "orch_invoices_sent.prom").read_text()
    assert INVOICES.cron == "0 3 * * *"


def test_the_last_days_the_oldest_first() -> None:
    found = recent(14)
    assert found[-1] == yesterday() and len({one.name for one in found}) == 14
    assert sorted(found, key=lambda one: one.first) == found
