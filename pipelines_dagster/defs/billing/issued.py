# SPDX-License-Identifier: Apache-2.0
"""The record of invoices, `ops/invoices`: a row each that was sent, appended after it was.

A crash between the two sends it again, with the same number, content and idempotency key.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import polars as pl

from pipelines_dagster.defs.billing.invoice import Invoice
from pipelines_dagster.lake.lake import Lake

TABLE = "ops/invoices"

_COLUMNS = {
    "number": pl.String,
    "customer": pl.String,
    "currency": pl.String,
    "first": pl.String,
    "last": pl.String,
    "total_micros": pl.Int64,
    "carry_in": pl.Int64,
    "carry_out": pl.Int64,
    "amount": pl.Int64,
    "previous": pl.String,
    "idempotency_key": pl.String,
    "sha256": pl.String,
    "at": pl.Float64,
}


@dataclass(frozen=True)
class Issued:
    """One row."""

    number: str
    currency: str
    first: str
    last: str
    total_micros: int
    carry_out: int


def issued(lake: Lake) -> dict[str, list[Issued]]:
    """Customer -> its invoices in the order they were sent."""
    if lake.open(TABLE) is None:
        return {}
    found: dict[str, list[Issued]] = {}
    names = ("customer", "number", "currency", "first", "last", "total_micros", "carry_out")
    for customer, *rest in lake.scan(TABLE).sort("at").collect().select(names).rows():
        found.setdefault(customer, []).append(Issued(*rest))
    return found


def note(lake: Lake, invoice: Invoice) -> None:
    """It was sent."""
    row = {
        "number": invoice.number,
        "customer": invoice.advertiser,
        "currency": invoice.currency,
        "first": invoice.period.days[0],
        "last": invoice.period.days[-1],
        "total_micros": invoice.total_micros,
        "carry_in": invoice.carry_in,
        "carry_out": invoice.carry_out,
        "amount": invoice.amount,
        "previous": invoice.previous,
        "idempotency_key": invoice.idempotency_key,
        "sha256": invoice.sha256,
        "at": time.time(),
    }
    lake.append(TABLE, pl.DataFrame([row], schema=_COLUMNS))
