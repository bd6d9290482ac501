# SPDX-License-Identifier: Apache-2.0
"""`skynet advertisers`: who may call for which advertiser (docs/campaigns.md).

Works on the database itself, so it is for the operator's machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from bls.settings import load_settings
from client.table import table

if TYPE_CHECKING:
    from sqlalchemy import Engine


@contextmanager
def opened() -> Iterator[Engine]:
    """The database of these settings, with our tables."""
    from bls.ads.database import open_database  # noqa: PLC0415
    from bls.ads.migrate import migrate  # noqa: PLC0415

    settings = load_settings()
    engine = open_database(settings.database_url, settings.database_password)
    try:
        migrate(engine)
        yield engine
    finally:
        engine.dispose()


@click.group()
def advertisers() -> None:
    """Add advertisers and issue their API keys. Only a key's SHA-256 is stored."""


@advertisers.command()
@click.argument("name")
def add(name: str) -> None:
    """Add an advertiser and print its API key, this once."""
    from bls.ads import advertisers as stored  # noqa: PLC0415

    with opened() as engine:
        click.echo(stored.add(engine, name))


@advertisers.command(name="list")
def list_() -> None:
    """List advertisers."""
    from bls.ads import advertisers as stored  # noqa: PLC0415

    with opened() as engine:
        found = stored.listed(engine)
    rows = [
        (one.name, "yes" if one.has_key else "no", time.strftime("%F", time.gmtime(one.created_ts)))
        for one in found
    ]
    click.echo(table(("advertiser", "key", "added"), rows) if rows else "none")


@advertisers.command()
@click.argument("name")
@click.option("--revoke", is_flag=True, help="End its key and issue none.")
def key(name: str, *, revoke: bool) -> None:
    """Issue another key and print it, this once; the one before ends at once."""
    from bls.ads import advertisers as stored  # noqa: PLC0415

    with opened() as engine:
        if revoke:
            stored.revoke(engine, name)
            click.echo(f"{name} has no key now")
        else:
            click.echo(stored.new_key(engine, name))
