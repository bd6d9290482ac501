# SPDX-License-Identifier: Apache-2.0
"""`skynet invoices`: charges reconciled, invoiced or held."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from client.commands.extra import pipelines_extra
from client.palette import printable
from client.render import dollars
from client.table import table

if TYPE_CHECKING:
    from pipelines_dagster.defs.billing.run import Night

_HEAD = ("number", "tokens", "charges", "carried in", "amount", "carried on")


@click.command()
@click.option("--day", default="", help="yyyy-mm-dd; yesterday (UTC) by default.")
@click.option("--month", default="", help="yyyy-mm, a line a day.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent; send nothing.")
@click.option("--json", "raw", is_flag=True, help="Print JSON.")
def invoices(day: str, month: str, dry_run: bool, raw: bool) -> None:
    """Send the invoices of a day or a month, each once. Exit code 1 if any is held."""
    with pipelines_extra():
        from pipelines_dagster.defs.billing.period import Period, yesterday  # noqa: PLC0415
        from pipelines_dagster.defs.billing.run import invoice_period  # noqa: PLC0415
        from pipelines_dagster.defs.billing.sinks import open_sink  # noqa: PLC0415
        from pipelines_dagster.settings import load_pipeline_settings  # noqa: PLC0415
    if day and month:
        raise click.UsageError("give --day or --month")
    settings = load_pipeline_settings()
    period = Period.of_month(month) if month else Period.of_day(day) if day else yesterday()
    sink = None if dry_run else open_sink(settings.serving.state)
    night = invoice_period(settings, period, sink)
    click.echo(_as_json(night) if raw else _report(night, dry_run))
    if night.held or night.changed:
        raise click.exceptions.Exit(1)


def _report(night: Night, dry_run: bool) -> str:
    rows = [
        (
            one.number,
            str(sum(line.tokens for line in one.lines)),
            dollars(one.total_micros),
            dollars(one.carry_in),
            f"{one.amount / 100:.2f} {one.currency}",
            dollars(one.carry_out),
        )
        for one in night.sent
    ]
    lines = [table(_HEAD, rows)] if rows else ["nothing to send"]
    lines += [f"sent before: {number}" for number in night.stood]
    lines += [f"CHANGED since it was sent: {number}" for number in night.changed]
    lines += [f"HELD {name or 'everybody'}: {why}" for name, why in sorted(night.held.items())]
    lines.append(f"{len(night.sent)} {'to send' if dry_run else 'sent'}")
    return printable("\n".join(lines))


def _as_json(night: Night) -> str:
    return json.dumps(
        {
            "sent": [one.payload() for one in night.sent],
            "stood": night.stood,
            "held": night.held,
            "changed": night.changed,
        },
        indent=2,
    )
