# SPDX-License-Identifier: Apache-2.0
"""`skynet budget`: what an advertiser may spend, through the gateway (docs/campaigns.md)."""

from __future__ import annotations

import json
import time
import uuid
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import click

from client.commands.money import DOLLARS
from client.commands.options import url_option
from client.table import table
from client.thin import get_json, post_json

_MICROS = 1_000_000
_STATE = ("budget_left_micros", "spent_micros", "reserved_micros", "daily_micros")
_WORTH = ("cpm_micros", "cpc_micros")

json_option = click.option("--json", "raw", is_flag=True, help="Print JSON, in micro-dollars.")


@click.group()
def budget() -> None:
    """Look at and set an advertiser's budget. Amounts are dollars."""


@budget.command()
@click.argument("advertiser")
@url_option
@json_option
def get(advertiser: str, url: str, *, raw: bool) -> None:
    """Show what an advertiser may still spend."""
    _show(get_json(url, f"/budget/{quote(advertiser, safe='')}"), raw=raw)


@budget.command(name="set")
@click.argument("advertiser")
@click.option("--left", type=DOLLARS, help="May still be spent until --end.")
@click.option("--end", "end_ts", type=click.IntRange(min=0), help="Unix seconds.")
@click.option("--daily", type=DOLLARS, help="Every UTC day, instead of --left.")
@click.option("--cpm", type=DOLLARS, help="What a thousand replies are worth.")
@click.option("--cpc", type=DOLLARS, help="What a response is worth.")
@click.option("--order", "key", default="", help="Name of this order: repeating it does nothing.")
@url_option
@json_option
def set_(
    *,
    advertiser: str,
    left: int | None,
    end_ts: int | None,
    daily: int | None,
    cpm: int | None,
    cpc: int | None,
    key: str,
    url: str,
    raw: bool,
) -> None:
    """Set an advertiser's budget, or what its campaigns are worth to it."""
    fields = {
        "budget_left_micros": left,
        "end_ts": end_ts,
        "daily_micros": daily,
        "cpm_micros": cpm,
        "cpc_micros": cpc,
    }
    order = {name: value for name, value in fields.items() if value is not None}
    headers = {"idempotency-key": key or uuid.uuid4().hex}
    path = f"/budget/{quote(advertiser, safe='')}"
    _show(post_json(url, path, order, headers), raw=raw)


def _show(state: dict[str, Any], *, raw: bool) -> None:
    if raw:
        click.echo(json.dumps(state, indent=2))
        return
    rows = [(name.removesuffix("_micros"), _dollars(state[name])) for name in (*_STATE, *_WORTH)]
    for name in ("start_ts", "end_ts"):
        moment = state[name]
        shown = "-" if moment is None else time.strftime("%F %T UTC", time.gmtime(moment))
        rows.append((name.removesuffix("_ts"), shown))
    limit = "has a budget" if state["limited"] else "has no budget, so no limit"
    click.echo(f"{state['advertiser']} {limit}")
    click.echo(table(("", "dollars"), rows))


def _dollars(micros: int | None) -> str:
    return "-" if micros is None else f"{Decimal(micros) / _MICROS:.6f}"
