# SPDX-License-Identifier: Apache-2.0
"""`skynet phantom sessions`: who is in the shop now, and how likely an agent acts."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from client.commands.options import url_option
from client.palette import printable
from client.table import table
from client.thin import get_json

_HEAD = ("session", "mode", "events", "quotes", "agent", "label", "origin", "condition", "idle")


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--json", "raw", is_flag=True, help="Print JSON.")
@url_option
def sessions(limit: int, raw: bool, url: str) -> None:
    """List live sessions of the shop with their scores, the one heard of last first."""
    answer = get_json(url, "/v1/sessions")
    found = answer["sessions"][:limit]
    if raw:
        click.echo(json.dumps({"live": answer["live"], "sessions": found}, indent=2))
        return
    if found:
        now_ms = time.time() * 1000
        click.echo(printable(table(_HEAD, [_cells(one, now_ms) for one in found])))
    click.echo(f"{answer['live']} live")


def _cells(one: dict[str, Any], now_ms: float) -> tuple[str, ...]:
    score = one["agent_probability"]
    condition = f"{one['experiment']}/{one['condition']}" if one["experiment"] else ""
    return (
        one["session_id"],
        one["mode"],
        str(one["events"]),
        str(one["quotes"]),
        "-" if score is None else f"{score:.2f}",
        one["label"],
        one["origin"],
        condition,
        f"{max(0.0, now_ms - one['heard_ms']) / 1000:.0f} s",
    )
