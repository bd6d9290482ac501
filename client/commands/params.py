# SPDX-License-Identifier: Apache-2.0
"""`skynet params`: the controller's live parameters, see docs/params.md.

What needs the cryptography is imported when it runs.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from bls.brain.params import KEY, MpcParams, read_params
from bls.settings import load_settings
from client.commands.key_store import (
    Rule,
    completed,
    judged,
    key_option,
    opened,
    publisher,
    signed,
    store_option,
    when,
)
from client.commands.params_fields import FIELDS, Assignment, changes
from client.palette import printable
from client.table import table

json_option = click.option("--json", "raw", is_flag=True, help="Print JSON.")


@click.group()
def params() -> None:
    """Look at and change the bid controller's live parameters."""


@params.command()
@key_option(required=True)
def keygen(key_file: Path) -> None:
    """Make a signing key; its public half goes to FILE.pub."""
    from bls.keys import private  # noqa: PLC0415

    name = private.create(key_file)
    public = private.public_file(key_file)
    click.echo(f"key {name}\nsecret: {key_file} (keep it off the servers)\npublic: {public}")
    click.echo(f"servers trust it with SKYNET_PARAMS_PUBLIC_KEYS={public}")


@params.command()
@store_option
@json_option
def show(store: str, raw: bool) -> None:
    """Show what the store holds. Exit code 1 if a server would not take it."""
    with closing(opened(store)) as found:
        entry, verdict = judged(found, KEY)
    version, stored = (entry.version, entry.value) if entry else (0, {})
    value = MpcParams().model_dump() | stored
    if raw:
        click.echo(json.dumps({"version": version, "verdict": verdict, "value": value}, indent=2))
    else:
        default = MpcParams().model_dump()
        rows = [(name, str(value[name]), str(default[name])) for name in FIELDS]
        click.echo(printable(table(("field", "value", "built in"), rows)))
        click.echo(signed(entry) if entry else "nothing to take: the built-in values stand")
        click.echo(verdict)
    if verdict != "ok":
        raise click.exceptions.Exit(1)


@params.command(name="set")
@click.argument("assignments", nargs=-1, required=True, type=Assignment())
@click.option("--defaults", is_flag=True, help="Start from the built-in values.")
@key_option(required=True)
@store_option
def set_(
    *, assignments: tuple[tuple[str, Any], ...], defaults: bool, key_file: Path, store: str
) -> None:
    """Change fields, sign, and make the result live: servers take it within a second."""
    with closing(opened(store)) as found:
        private, made = publisher(KEY, key_file, found)
        live = None if defaults else made.live(KEY)
        before = MpcParams() if live is None else read_params(live.value)
        after = read_params(before.model_dump() | dict(assignments))
        entry = made.publish(KEY, after.model_dump(), private)
    click.echo(signed(entry))
    click.echo(changes(before.model_dump(), after.model_dump()) or "nothing differs")


@params.command()
@store_option
def history(store: str) -> None:
    """List every version, oldest first."""
    rule = Rule.of(KEY, load_settings())
    with closing(opened(store)) as found:
        past = found.history(KEY)
    rows, before = [], MpcParams().model_dump()
    for entry in past:
        known = (str(entry.version), when(entry), entry.key_id or "-", rule.verdict(entry))
        rows.append((*known, changes(before, before | entry.value)))
        before |= entry.value
    head = ("version", "created", "key", "verdict", "changed")
    click.echo(printable(table(head, rows)) if rows else "none")


def _versions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return completed(ctx.params.get("store"), KEY, incomplete)


@params.command()
@click.argument("version", type=click.IntRange(min=1), shell_complete=_versions)
@key_option(required=True)
@store_option
def rollback(version: int, key_file: Path, store: str) -> None:
    """Make the values of VERSION live again, under a new version."""
    with closing(opened(store)) as found:
        private, made = publisher(KEY, key_file, found)
        value = read_params(made.past(KEY, version).value).model_dump()
        click.echo(signed(made.publish(KEY, value, private)))
    click.echo(f"values of version {version}")


@params.command()
@store_option
def verify(store: str) -> None:
    """Say whether a server with these settings takes what the store holds. Exit code 1 if not."""
    with closing(opened(store)) as found:
        entry, verdict = judged(found, KEY)
    click.echo(f"{signed(entry)}: {verdict}" if entry else verdict)
    if verdict != "ok":
        raise click.exceptions.Exit(1)
