# SPDX-License-Identifier: Apache-2.0
"""`skynet keys`: what the key store holds, its past, and the way back; see docs/keys.md."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from bls.errors import SkynetError
from bls.settings import load_settings
from client.commands.key_store import (
    Rule,
    completed,
    default_store,
    judged,
    key_option,
    opened,
    publisher,
    signed,
    store_option,
    when,
)
from client.palette import printable
from client.table import table

if TYPE_CHECKING:
    from bls.keys.entry import Entry
    from bls.keys.store import KeyStore

_WIDTH = 80


def _keys(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    with closing(opened(ctx.params.get("store") or default_store())) as found:
        return [CompletionItem(key) for key in found.names() if key.startswith(incomplete)]


def _versions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return completed(ctx.params.get("store"), ctx.params.get("key", ""), incomplete)


key_argument = click.argument("key", shell_complete=_keys)


@click.group()
def keys() -> None:
    """Look at live keys: models, canaries, parameters; and roll them back."""


@keys.command(name="list")
@store_option
def list_(store: str) -> None:
    """List every key: what is live, and whether a server with these settings takes it."""
    rows = []
    with closing(opened(store)) as found:
        for key in found.names():
            entry, verdict = judged(found, key)
            known = (str(entry.version), when(entry)) if entry else ("-", "-")
            rows.append((key, *known, verdict, _short(entry)))
    head = ("key", "version", "created", "verdict", "value")
    click.echo(printable(table(head, rows)) if rows else "none")


@keys.command()
@key_argument
@store_option
@click.option("--json", "raw", is_flag=True, help="Print JSON.")
def show(key: str, store: str, raw: bool) -> None:
    """Show what is live under KEY. Exit code 1 if a server would not take it."""
    with closing(opened(store)) as found:
        entry, verdict = judged(found, key)
    if raw:
        version, value = (entry.version, entry.value) if entry else (0, None)
        click.echo(json.dumps({"version": version, "verdict": verdict, "value": value}, indent=2))
    else:
        if entry is not None:
            click.echo(printable(json.dumps(entry.value, indent=2)))
            click.echo(signed(entry))
        click.echo("nothing is live" if entry is None and verdict == "ok" else verdict)
    if verdict != "ok":
        raise click.exceptions.Exit(1)


@keys.command()
@key_argument
@store_option
def history(key: str, store: str) -> None:
    """List every version of KEY, oldest first."""
    rule = Rule.of(key, load_settings())
    with closing(opened(store)) as found:
        past = found.history(key)
    rows = [
        (str(entry.version), when(entry), entry.key_id or "-", rule.verdict(entry), _short(entry))
        for entry in past
    ]
    head = ("version", "created", "key", "verdict", "value")
    click.echo(printable(table(head, rows)) if rows else "none")


@keys.command()
@key_argument
@click.argument("version", type=click.IntRange(min=1), required=False, shell_complete=_versions)
@key_option(required=False)
@store_option
def rollback(key: str, version: int | None, key_file: Path | None, store: str) -> None:
    """Make the value before the live one, or that of VERSION, live again under a new version."""
    rule = Rule.of(key, load_settings())
    with closing(opened(store)) as found:
        private, made = publisher(key, key_file, found)
        past = made.past(key, _before(found, key) if version is None else version)
        rule.read(past.value)
        entry = made.publish(key, past.value, private)
    click.echo(signed(entry))
    click.echo(f"value of version {past.version}: {_short(past)}")


@keys.command()
@key_argument
@store_option
@click.option("--times", type=click.IntRange(min=0), default=0, help="End after so many; 0: never.")
def watch(key: str, store: str, times: int) -> None:
    """Print KEY now and whenever it changes."""
    changed = threading.Event()

    def look() -> bool:
        changed.set()
        return True

    with closing(opened(store)) as found:
        stop = found.watch(key, look)
        said, count = "", 0
        while times == 0 or count < times:
            entry, verdict = judged(found, key)
            text = f"{signed(entry)}: {_short(entry)}" if entry else "nothing is live"
            if (text := f"{text}: {verdict}") != said:
                click.echo(printable(text))
                said, count = text, count + 1
            else:
                changed.wait()
                changed.clear()
        stop()


def _before(store: KeyStore, key: str) -> int:
    """The version before the live one; the newest when nothing is live. Raises `no_version`."""
    live, _ = judged(store, key)
    older = [e.version for e in store.history(key) if live is None or e.version < live.version]
    if not older:
        raise SkynetError("no_version", "There is no version to go back to.", 404)
    return older[-1]


def _short(entry: Entry | None) -> str:
    """The value on one line."""
    value: dict[str, Any] = {} if entry is None else entry.value
    text = " ".join(f"{name}={json.dumps(one)}" for name, one in value.items())
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."
