# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bls.settings import load_settings


def default_url() -> str:
    """Where `skynet serve` listens with these settings."""
    settings = load_settings()
    return f"http://{settings.host}:{settings.port}"


def default_logs() -> Path:
    """Where the server writes its log streams with these settings."""
    return load_settings().logs


BIDDER = "name=bid[:ad prompt]"

url_option = click.option(
    "--url", default=default_url, show_default="the local stack", help="Gateway to talk to."
)

logs_option = click.option(
    "--logs",
    type=click.Path(path_type=Path),
    default=default_logs,
    show_default="the local stack's",
    help="Folder with the log streams.",
)


def read_bidders(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Callback of `--bidder`: the request's JSON; the server checks names and ranges."""
    return [_bidder(value) for value in values]


def _bidder(value: str) -> dict[str, Any]:
    advertiser, _, rest = value.partition("=")
    bid, _, ad_prompt = rest.partition(":")
    try:
        bidder: dict[str, Any] = {"advertiser": advertiser, "bid": float(bid)}
    except ValueError:
        raise click.BadParameter(f"{value!r} is not {BIDDER}") from None
    return bidder | ({"ad_prompt": ad_prompt} if ad_prompt else {})
