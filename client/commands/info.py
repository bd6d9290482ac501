# SPDX-License-Identifier: Apache-2.0
"""`skynet models` and `skynet health`."""

from __future__ import annotations

import click

from client.commands.options import url_option
from client.thin import get_json


@click.command()
@url_option
def models(url: str) -> None:
    """List the models a request may name."""
    for model in get_json(url, "/v1/models")["data"]:
        click.echo(model["id"])


@click.command()
@url_option
def health(url: str) -> None:
    """Say whether the gateway is up and every model is ready."""
    get_json(url, "/healthz")
    click.echo("gateway: ok")
    get_json(url, "/readyz")
    click.echo("models:  ready")
