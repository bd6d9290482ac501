# SPDX-License-Identifier: Apache-2.0
"""A night's invoices: charges, reconciled, invoiced or held, sent once.

Fails closed: what does not add up is held and told, and comes again with the next run of the same
period once it does. An invoice that was sent stands; the same night again sends nothing.
"""

from __future__ import annotations

import fcntl
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bls.errors import SkynetError
from pipelines_dagster.defs.billing.charges import DayCharges, Line, charges_of
from pipelines_dagster.defs.billing.invoice import Invoice
from pipelines_dagster.defs.billing.issued import Issued, issued, note
from pipelines_dagster.defs.billing.period import Period
from pipelines_dagster.defs.billing.sinks import InvoiceSink
from pipelines_dagster.notify.streams import Streams
from pipelines_dagster.settings import PipelineSettings

STREAM = "invoices.log"


@dataclass
class Night:
    """The result.

    Attributes:
        sent: invoices of this run (of a dry run: that would be sent).
        stood: numbers that were sent before.
        held: advertiser -> why nothing was sent; `""` for everybody.
        changed: numbers whose charges are others now than when they were sent.
        compared: receipts that the ledger was asked about; None when a day had no ledger here.
    """

    sent: list[Invoice] = field(default_factory=list)
    stood: list[str] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    compared: int | None = None

    @property
    def total_micros(self) -> int:
        return sum(one.total_micros for one in self.sent)


def invoice_period(settings: PipelineSettings, period: Period, sink: InvoiceSink | None) -> Night:
    """Invoice a period; `sink` None is a dry run.

    Raises:
        SkynetError: `period_not_over` outside a dry run, `invoices_locked`; what the sink raises,
            with everything sent so far noted.
    """
    if sink is not None and not period.over():
        raise SkynetError("period_not_over", "This period is not over yet (UTC).", 409)
    lake, logs = settings.open_lake(), settings.serving.logs
    days = [charges_of(lake, day, logs) for day in period.days]
    with _alone(settings.serving.state):
        night = _plan(period, days, issued(lake))
        for invoice in night.sent if sink is not None else ():
            assert sink is not None
            sink.send(invoice)
            note(lake, invoice)
    _tell(Streams(logs), period, night, dry=sink is None)
    return night


def _plan(period: Period, days: list[DayCharges], before: Mapping[str, list[Issued]]) -> Night:
    asked = [day.compared for day in days if day.compared is not None]
    night = Night(compared=sum(asked) if len(asked) == len(days) else None)
    currencies = sorted({day.currency for day in days if day.currency})
    if len(currencies) > 1:
        night.held[""] = f"several currencies: {', '.join(currencies)}"
    for day in days:
        for advertiser, why in day.held.items():
            night.held.setdefault(advertiser, f"{day.day}: {why}")
    lines: defaultdict[str, list[Line]] = defaultdict(list)
    for day in days:
        for advertiser, line in day.lines.items():
            lines[advertiser].append(line)
    currency = currencies[0] if currencies else ""
    for advertiser, found in sorted(lines.items()):
        past = before.get(advertiser, [])
        same = [one for one in past if one.currency == currency]
        last = same[-1] if same else Issued("", currency, "", "", 0, 0)
        invoice = Invoice(advertiser, currency, period, tuple(found), last.carry_out, last.number)
        _judge(night, invoice, past)
    return night


def _judge(night: Night, invoice: Invoice, past: list[Issued]) -> None:
    same = [one for one in past if one.number == invoice.number]
    if same:
        night.stood.append(invoice.number)
        if same[0].total_micros != invoice.total_micros:
            night.changed.append(invoice.number)
    elif any(invoice.period.overlaps(one.first, one.last) for one in past):
        night.held[invoice.advertiser] = "days of it are invoiced already"
    elif "" not in night.held and invoice.advertiser not in night.held:
        night.sent.append(invoice)


def _tell(streams: Streams, period: Period, night: Night, dry: bool) -> None:
    for invoice in night.sent:
        streams.write(
            STREAM,
            event="planned" if dry else "sent",
            number=invoice.number,
            total_micros=invoice.total_micros,
            amount=invoice.amount,
        )
    for advertiser, why in night.held.items():
        streams.write(STREAM, event="held", period=period.name, customer=advertiser, why=why)
    for number in night.changed:
        streams.write(STREAM, event="changed", number=number)


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """One run at a time: each invoice carries on from the one before. Raises `invoices_locked`."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "invoices.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SkynetError(
                "invoices_locked", "Invoices are being written already.", 409
            ) from None
        yield
