# SPDX-License-Identifier: Apache-2.0
"""`skynet settle`: the bills recomputed from the log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from bls.settlement.faults import Faults
from bls.settlement.recompute import AdvertiserAccount, Settlement
from bls.settlement.recompute import settle as run_settlement
from client.commands.options import logs_option
from client.commands.progress import progress_bar
from client.render import dollars
from client.table import table

_HEAD = (
    "advertiser",
    "replies",
    "tokens paid",
    "receipts",
    "recomputed",
    "difference",
    "unproven",
    "refunded",
    "net",
)


@click.command()
@logs_option
@click.option("--json", "raw", is_flag=True, help="Print the whole result as JSON.")
def settle(logs: Path, raw: bool) -> None:
    """Recompute every charge from the log and compare it with the receipts.

    Exit code 1 if a sum differs by more than 0.01 % or a record is missing, doubled, changed or
    contradicts itself.
    """
    with progress_bar("settling") as progress:
        result = run_settlement(logs, progress)
    click.echo(json.dumps(result.as_json(), indent=2) if raw else report(result))
    if not result.ok:
        raise click.exceptions.Exit(1)


def report(result: Settlement) -> str:
    """A line per advertiser, the total, what is wrong, and the verdict."""
    accounts = [*sorted(result.accounts.items()), ("total", result.total)]
    lines = [
        table(_HEAD, [_row(name, account) for name, account in accounts]),
        f"{result.tokens} tokens, {result.receipts} receipts; "
        f"{result.undecided} charges bounded by their records, the others proven",
        *erased_lines(result.erased),
        *fault_lines(result.faults),
        "settled" if result.ok else "NOT settled",
    ]
    return "\n".join(lines)


def erased_lines(erased: Mapping[str, int]) -> list[str]:
    """One line when records were erased by request: their chain holds, their content is gone."""
    listed = ", ".join(f"{count} of {stream}" for stream, count in sorted(erased.items()))
    return [f"note  erased by request: {listed}; nothing is recomputed of them"] if erased else []


def fault_lines(faults: Faults) -> list[str]:
    """One line per kind of fault, with where it was first seen."""
    return [
        f"{'FAULT' if fault.serious else 'note '} {fault.title}: {count}, {fault.meaning}; "
        f"first at {faults.places[fault][0]}"
        for fault, count in faults.counts.items()
    ]


def _row(name: str, account: AdvertiserAccount) -> tuple[str, ...]:
    return (
        name,
        str(account.replies),
        str(account.tokens),
        dollars(account.charged_micros),
        dollars(account.recomputed_micros),
        dollars(account.difference_micros),
        dollars(round(account.unproven_micros)),
        dollars(account.refunded_micros),
        dollars(account.net_micros),
    )
