# SPDX-License-Identifier: Apache-2.0
"""`skynet explain`: which of an ad's tokens its predicted value comes from, as bars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from client.commands.options import url_option
from client.thin import explain as ask

_WIDTH = 32


@click.command()
@click.argument("context")
@click.option("--ad", required=True, help="Text of the ad.")
@url_option
def explain(context: str, ad: str, url: str) -> None:
    """Show which tokens of an ad move its predicted value in a CONTEXT."""
    for line in chart(ask(url, context, ad)):
        click.echo(line)


def chart(answer: dict[str, Any]) -> Iterator[str]:
    """The lines: a bar per token, the rest, and what they add up to."""
    bars = [*zip(answer["tokens"], answer["shap"], strict=True), ("(others)", answer["rest"])]
    longest = max((abs(value) for _, value in bars), default=0.0) or 1.0
    width = max(len(name) for name, _ in bars)
    for name, value in bars:
        bar = ("+" if value >= 0 else "-") * round(_WIDTH * abs(value) / longest)
        yield f"{name:<{width}}  {value:+10.4f}  {bar}".rstrip()
    curve = answer["curve"]
    yield ""
    yield f"v_max {answer['prediction']:.4f}, of which {answer['base_value']:.4f} without any token"
    yield f"a {curve['a']:.3f}, k_0 {curve['k_0']:.2f}, {curve['tokens']} tokens"
