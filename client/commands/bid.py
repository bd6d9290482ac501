# SPDX-License-Identifier: Apache-2.0
"""`skynet bid`: change what advertisers bid while a reply is being written."""

from __future__ import annotations

import click

from client.commands.options import url_option
from client.thin import update_bids


@click.command()
@click.argument("conv_id")
@click.argument("bids", nargs=-1, required=True, metavar="ADVERTISER=BID...")
@url_option
def bid(conv_id: str, bids: tuple[str, ...], url: str) -> None:
    """Change bids of the live reply CONV_ID, from its next token on."""
    applied_from = update_bids(url, conv_id, dict(_bid(text) for text in bids))
    click.echo(f"applied from token {applied_from}")


def _bid(text: str) -> tuple[str, float]:
    advertiser, _, amount = text.partition("=")
    try:
        return advertiser, float(amount)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not ADVERTISER=BID") from None
