# SPDX-License-Identifier: Apache-2.0
"""`skynet creatives`: what advertisers' models are told; see docs/creatives.md."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from bls.settings import load_settings
from client.commands.ads import (
    complete_advertiser,
    complete_creative,
    living,
    opened,
)
from client.commands.creatives_import import import_
from client.commands.progress import progress_bar
from client.palette import printable
from client.table import table

if TYPE_CHECKING:
    from bls.ads.records import CreativeRecord

_HEAD = ("msg_id", "campaign", "state", "embedded", "text")
_WIDTH = 60
STATES = ("ok", "blocked", "waiting")


@click.group()
def creatives() -> None:
    """Import, look at, judge and delete creatives: what advertisers' models are told."""


creatives.add_command(import_)


@creatives.command(name="list")
@click.option("--advertiser", default="", shell_complete=complete_advertiser, help="Only its own.")
@click.option("--state", type=click.Choice(STATES), help="Only those the guard sees so.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--json", "raw", is_flag=True, help="Print JSON, one creative a line.")
def list_(advertiser: str, state: str | None, limit: int, raw: bool) -> None:
    """List creatives, the oldest change first; deleted ones are not listed."""
    with opened(load_settings()) as shelf:
        found = (
            one for one in living(shelf.store, advertiser) if state in (None, one.checked.value)
        )
        shown = list(islice(found, limit))
    if raw:
        for one in shown:
            click.echo(json.dumps(_fields(one), ensure_ascii=False))
        return
    rows = [
        (one.msg_id, one.campaign_id, _state(one), _embedded(one), _short(one.text))
        for one in shown
    ]
    click.echo(printable(table(_HEAD, rows)) if rows else "none")


@creatives.command()
@click.argument("msg_id", shell_complete=complete_creative)
@click.option("--json", "raw", is_flag=True, help="Print JSON.")
def show(msg_id: str, raw: bool) -> None:
    """Show one creative, or its tombstone. Exit code 1 if there is none."""
    with opened(load_settings()) as shelf:
        found = shelf.store.creative(msg_id)
    if found is None:
        click.echo("none")
        raise click.exceptions.Exit(1)
    fields = _fields(found)
    if raw:
        click.echo(json.dumps(fields, ensure_ascii=False, indent=2))
        return
    for name, value in fields.items():
        click.echo(printable(f"{name:<12} {value}"))


@creatives.command()
@click.argument("msg_ids", nargs=-1, required=True, shell_complete=complete_creative)
def delete(msg_ids: tuple[str, ...]) -> None:
    """Delete creatives at once: a tombstone stays, and the name is never used again.

    Running servers stop showing them within moments. Exit code 1 if one was not there. What was
    recorded of a creative is erased by `skynet gdpr delete --msg-id`.
    """
    from client.intake.kept import forget, rewrites_file  # noqa: PLC0415

    settings = load_settings()
    with opened(settings) as shelf:
        gone = [msg_id for msg_id in msg_ids if shelf.store.delete_creative(msg_id)]
    forget(rewrites_file(settings.state), frozenset(msg_ids))
    missing = [msg_id for msg_id in msg_ids if msg_id not in gone]
    click.echo(f"{len(gone)} deleted")
    if missing:
        click.echo(printable("not there: " + ", ".join(missing)), err=True)
        raise click.exceptions.Exit(1)


@creatives.command()
@click.option("--all", "everything", is_flag=True, help="Judge all again, as after a new guard.")
def check(everything: bool) -> None:
    """Have the guard judge what waits for it, and embed what may be shown and is not embedded.

    Imports and servers do this themselves; this is for creatives that came another way, or when
    the guard has changed.
    """
    from client.intake.check import check_all  # noqa: PLC0415
    from client.intake.embed import Embedder  # noqa: PLC0415
    from client.intake.judge import guard_of  # noqa: PLC0415

    settings = load_settings()
    embed = Embedder()
    try:
        with opened(settings) as shelf, progress_bar("judging") as progress:
            found = living(shelf.store)
            wanted = [one for one in found if everything or one.checked.value == "waiting"]
            done = check_all(shelf.store, wanted, guard_of(settings), embed, progress)
    finally:
        embed.close()
    click.echo(f"{done.judged} judged, {done.changed} changed, {done.embedded} embedded")


def _fields(one: CreativeRecord) -> dict[str, Any]:
    return {
        "msg_id": one.msg_id,
        "campaign_id": one.campaign_id,
        "advertiser": one.advertiser,
        "state": _state(one),
        "reason": one.reason,
        "version": one.version,
        "embedded": one.embedding is not None,
        "text": one.text,
    }


def _state(one: CreativeRecord) -> str:
    return "deleted" if one.deleted else one.checked.value


def _embedded(one: CreativeRecord) -> str:
    return "yes" if one.embedding is not None else "no"


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."
