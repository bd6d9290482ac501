# SPDX-License-Identifier: Apache-2.0
"""`skynet models`, `skynet vocabulary` and `skynet health`."""

from __future__ import annotations

import click

from bls.settings import load_settings
from client.commands.options import url_option
from client.thin import get_json


@click.command()
@url_option
def models(url: str) -> None:
    """List the models a request may name."""
    for model in get_json(url, "/v1/models")["data"]:
        click.echo(model["id"])


@click.command()
def vocabulary() -> None:
    """Print the hash and size of the served vocabulary: a remote bidder must share it."""
    from bls.remote.vocabulary import Vocabulary  # noqa: PLC0415  (loads the tokenizer library)

    served = Vocabulary.load(load_settings().llm_folder())
    click.echo(f"{served.sha256.hex()}  {served.size}")


@click.command()
@url_option
def health(url: str) -> None:
    """Say whether the gateway is up and every model is ready."""
    get_json(url, "/healthz")
    click.echo("gateway: ok")
    get_json(url, "/readyz")
    click.echo("models:  ready")
