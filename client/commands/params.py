# SPDX-License-Identifier: Apache-2.0
"""`skynet params`: the controller's live parameters, see docs/params.md.

What needs the cryptography is imported when it runs.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from bls.brain.params import KEY, MpcParams, read_params
from bls.errors import SkynetError
from bls.keys.folder import FolderStore
from bls.settings import load_settings
from client.commands.params_fields import FIELDS, Assignment, changes
from client.palette import printable
from client.table import table

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from bls.keys.entry import Entry
    from bls.keys.publish import Publisher

KEY_VARIABLE = "PARAMS_SIGNING_KEY"


def default_store() -> Path:
    """The key store of the local stack."""
    return load_settings().keys_folder


store_option = click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    default=default_store,
    show_default="the local stack's",
    help="Folder of the key store.",
)
key_option = click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    envvar=KEY_VARIABLE,
    show_envvar=True,
    help="File with the signing key.",
)
json_option = click.option("--json", "raw", is_flag=True, help="Print JSON.")


@click.group()
def params() -> None:
    """Look at and change the bid controller's live parameters."""


@params.command()
@key_option
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
def show(store: Path, raw: bool) -> None:
    """Show what the store holds. Exit code 1 if a server would not take it."""
    entry, verdict = _judged(store)
    version, stored = (entry.version, entry.value) if entry else (0, {})
    value = MpcParams().model_dump() | stored
    if raw:
        click.echo(json.dumps({"version": version, "verdict": verdict, "value": value}, indent=2))
    else:
        default = MpcParams().model_dump()
        rows = [(name, str(value[name]), str(default[name])) for name in FIELDS]
        click.echo(printable(table(("field", "value", "built in"), rows)))
        click.echo(_signed(entry) if entry else "nothing to take: the built-in values stand")
        click.echo(verdict)
    if verdict != "ok":
        raise click.exceptions.Exit(1)


@params.command(name="set")
@click.argument("assignments", nargs=-1, required=True, type=Assignment())
@click.option("--defaults", is_flag=True, help="Start from the built-in values.")
@key_option
@store_option
def set_(
    *, assignments: tuple[tuple[str, Any], ...], defaults: bool, key_file: Path, store: Path
) -> None:
    """Change fields, sign, and make the result live: servers take it within a second."""
    private, publisher = _publisher(key_file, store)
    live = None if defaults else publisher.live(KEY)
    before = MpcParams() if live is None else read_params(live.value)
    after = read_params(before.model_dump() | dict(assignments))
    entry = publisher.publish(KEY, after.model_dump(), private)
    click.echo(_signed(entry))
    click.echo(changes(before.model_dump(), after.model_dump()) or "nothing differs")


@params.command()
@store_option
def history(store: Path) -> None:
    """List every version, oldest first."""
    from bls.keys.signing import load_trusted  # noqa: PLC0415

    trusted = load_trusted(load_settings().params_public_keys)
    rows, before = [], MpcParams().model_dump()
    for entry in FolderStore(store).history(KEY):
        known = (str(entry.version), _when(entry), entry.key_id or "-", _word(entry, trusted))
        rows.append((*known, changes(before, before | entry.value)))
        before |= entry.value
    head = ("version", "created", "key", "verdict", "changed")
    click.echo(printable(table(head, rows)) if rows else "none")


def _versions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    store = ctx.params.get("store") or default_store()
    found = [str(entry.version) for entry in FolderStore(store).history(KEY)]
    return [CompletionItem(text) for text in found if text.startswith(incomplete)]


@params.command()
@click.argument("version", type=click.IntRange(min=1), shell_complete=_versions)
@key_option
@store_option
def rollback(version: int, key_file: Path, store: Path) -> None:
    """Make the values of VERSION live again, under a new version."""
    private, publisher = _publisher(key_file, store)
    value = read_params(publisher.past(KEY, version).value).model_dump()
    click.echo(_signed(publisher.publish(KEY, value, private)))
    click.echo(f"values of version {version}")


@params.command()
@store_option
def verify(store: Path) -> None:
    """Say whether a server with these settings takes what the store holds. Exit code 1 if not."""
    entry, verdict = _judged(store)
    click.echo(f"{_signed(entry)}: {verdict}" if entry else verdict)
    if verdict != "ok":
        raise click.exceptions.Exit(1)


def _judged(store: Path) -> tuple[Entry | None, str]:
    """What is live in the store, and `ok` or why a server refuses it."""
    from bls.keys.refusal import RefusedError  # noqa: PLC0415
    from bls.keys.signing import load_trusted  # noqa: PLC0415

    trusted = load_trusted(load_settings().params_public_keys)
    try:
        entry = FolderStore(store).get(KEY)
    except RefusedError as refusal:
        return None, f"refused: {refusal}"
    return entry, "ok" if entry is None else _word(entry, trusted)


def _word(entry: Entry, trusted: Any) -> str:
    from bls.keys.refusal import RefusedError  # noqa: PLC0415

    try:
        trusted.verify(entry)
        read_params(entry.value)
    except RefusedError as refusal:
        return f"refused: {refusal}"
    except SkynetError as fault:
        return f"refused: {fault.message}"
    return "ok"


def _publisher(key_file: Path, store: Path) -> tuple[Ed25519PrivateKey, Publisher]:
    """The signing key, and a publisher that trusts it besides what the settings trust."""
    from bls.keys.private import load  # noqa: PLC0415
    from bls.keys.publish import Publisher  # noqa: PLC0415
    from bls.keys.signing import key_id, load_trusted  # noqa: PLC0415

    settings = load_settings()
    private, trusted = load(key_file), load_trusted(settings.params_public_keys)
    if key_id(private.public_key()) not in trusted.names():
        click.echo("note: SKYNET_PARAMS_PUBLIC_KEYS does not name this key here", err=True)
    seen = [FolderStore(settings.keys_kept)]
    return private, Publisher(FolderStore(store), trusted.with_key(private.public_key()), seen)


def _signed(entry: Entry) -> str:
    name = printable(entry.key_id) or "nobody"
    return f"version {entry.version}, {_when(entry)}, signed by {name}"


def _when(entry: Entry) -> str:
    try:
        return datetime.fromtimestamp(entry.created, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(entry.created)
