# SPDX-License-Identifier: Apache-2.0
"""`skynet phantom shop`: the storefront alone, in front of a gateway that runs already."""

from __future__ import annotations

import sys

import click

from bls.phantom.session import MODES
from bls.settings import load_settings
from client.commands.options import default_url


def _mode() -> str:
    return load_settings().store_mode or MODES[0]


def _port() -> int:
    return load_settings().store_port


@click.command()
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default=_mode,
    envvar="STORE_MODE",
    show_default="SKYNET_STORE_MODE, or hotel",
    help="What it sells; STORE_MODE sets it too.",
)
@click.option("--gateway", default=default_url, show_default="the local stack")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65_535), default=_port, show_default="8090")
def shop(mode: str, gateway: str, host: str, port: int) -> None:
    """Run the shop until Ctrl-C: pages for people, prices and records through GATEWAY."""
    from client.storefront.server import main  # noqa: PLC0415 (asking for help loads no server)

    click.echo(f"shop ({mode}) at http://{host}:{port}, gateway {gateway}", err=True)
    code = main(["--mode", mode, "--gateway", gateway, "--host", host, "--port", str(port)])
    if code:
        sys.exit(code)
