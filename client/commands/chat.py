# SPDX-License-Identifier: Apache-2.0
"""`skynet chat`: ask once, or keep a conversation going."""

from __future__ import annotations

import json
import sys
import uuid
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import click

from client.commands.options import BIDDER, read_bidders, url_option
from client.palette import printable
from client.render import ChatView, DemoView, View
from client.replies import Event, Text, Token, read_chunk
from client.thin import chat_body, stream_chunks


@dataclass(frozen=True)
class Ask:
    """Where and how to ask; `options` are fields of the chat request."""

    url: str
    options: dict[str, Any]
    raw: bool = False
    per_token: bool = False

    def reply(self, messages: list[dict[str, str]]) -> str:
        """Stream one reply to stdout and return its text without the disclosure."""
        view: View = DemoView(sys.stdout) if self.per_token else ChatView(sys.stdout)
        said: list[str] = []
        with closing(stream_chunks(self.url, chat_body(messages, **self.options))) as chunks:
            for chunk in chunks:
                event = read_chunk(chunk)
                if self.raw:
                    click.echo(json.dumps(chunk, ensure_ascii=False))
                elif event is not None:
                    view.show(event)
                said.append(reply_text(event))
        return "".join(said)


def reply_text(event: Event | None) -> str:
    """What `event` adds to the assistant's turn."""
    if isinstance(event, Token) or (isinstance(event, Text) and not event.disclosure):
        return event.text
    return ""


@click.command()
@click.argument("prompt", required=False)
@url_option
@click.option(
    "--bidder",
    "bidders",
    multiple=True,
    metavar=BIDDER,
    callback=read_bidders,
    help="An advertiser (repeatable); without any the server chooses campaigns.",
)
@click.option(
    "--mode", type=click.Choice(["argmax", "sample"]), help="Sell the best token, or draw one."
)
@click.option("--charge-rule", type=click.Choice(["clarke", "critical_bid"]))
@click.option(
    "--plan",
    type=click.Choice(["row", "reply"]),
    help="What ends when the last hosted ad's plan does.",
)
@click.option("--w-ref", type=float, help="Weight of the reference model.")
@click.option("--max-tokens", type=int, help="Longest reply.")
@click.option("--temperature", type=float)
@click.option("--seed", type=int, help="Of the draws in mode sample.")
@click.option("--system", help="System message.")
@click.option("--conv-id", help="Name of the conversation, for `skynet bid`.")
@click.option("-i", "--interactive", is_flag=True, help="Keep asking until end of input.")
@click.option("--per-token", is_flag=True, help="One line per token with its auction.")
@click.option("--json", "raw", is_flag=True, help="Print raw chunks, one a line.")
def chat(prompt: str | None, interactive: bool, system: str | None, **given: Any) -> None:
    """Ask PROMPT (or stdin) and stream the reply, sponsored tokens in colour."""
    ask = ask_from(given)
    messages = [{"role": "system", "content": system}] if system else []
    if prompt is None and not interactive:
        prompt = sys.stdin.read()
    while prompt is not None or interactive:
        if prompt is None and (prompt := _next_prompt()) is None:
            return
        messages.append({"role": "user", "content": prompt})
        messages.append({"role": "assistant", "content": ask.reply(messages)})
        if not messages[-1]["content"].strip():
            del messages[-2:]
        prompt = None


def ask_from(given: dict[str, Any]) -> Ask:
    """The request fields that the command line set."""
    auction = {
        "bidders": given["bidders"] or None,
        "mode": given["mode"],
        "charge_rule": given["charge_rule"],
        "plan": given["plan"],
        "w_ref": given["w_ref"],
        "conv_id": given["conv_id"] or f"conv-{uuid.uuid4().hex}",
    }
    options = {name: given[name] for name in ("max_tokens", "temperature", "seed")}
    options["skynet"] = {name: value for name, value in auction.items() if value is not None}
    return Ask(given["url"], options, given["raw"], given["per_token"])


def _next_prompt() -> str | None:
    """The next non-empty line, None at the end of input."""
    while True:
        try:
            line = input("\n> " if sys.stdin.isatty() else "")
        except EOFError:
            return None
        if printable(line).strip():
            return line
