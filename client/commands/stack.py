# SPDX-License-Identifier: Apache-2.0
"""`skynet serve` and `skynet demo`: start the whole stack on loopback.

The launcher is imported when a command runs: asking for help must not load gRPC.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

import click

from bls.settings import load_settings
from client.commands.chat import Ask

QUESTION = "Plan a relaxed weekend trip to the mountains. Where should I stay?"


@click.command()
def serve() -> None:
    """Start everything and keep it up until Ctrl-C or SIGTERM."""
    from client.launcher.stack import Stack  # noqa: PLC0415

    _end_on_sigterm()
    with Stack(load_settings(), progress=progress(), events=True) as stack:
        if stack.shop_url is not None:
            click.echo(f"shop at {stack.shop_url}", err=True)
        click.echo(f"ready at {stack.gateway_url}  (Ctrl-C stops)", err=True)
        stack.wait()
    click.echo("stopped", err=True)


@click.command()
@click.argument("prompt", default=QUESTION)
@click.option("--max-tokens", type=int, default=48, show_default=True)
def demo(prompt: str, max_tokens: int) -> None:
    """Start everything, ask PROMPT, show each token's auction, stop everything."""
    from client.launcher.stack import Stack  # noqa: PLC0415

    _end_on_sigterm()
    with Stack(load_settings(), progress=progress()) as stack:
        click.echo(f"\nuser: {prompt}\n")
        ask = Ask(stack.gateway_url, {"max_tokens": max_tokens}, per_token=True)
        ask.reply([{"role": "user", "content": prompt}])


def progress() -> Callable[[str], None]:
    """Prints steps to stderr with the seconds since the first."""
    began = time.monotonic()

    def show(text: str) -> None:
        click.echo(f"[{time.monotonic() - began:5.1f} s] {text}", err=True)

    return show


def _end_on_sigterm() -> None:
    """SIGTERM ends the process through its `finally` blocks, so children are stopped."""

    def stop(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, stop)
