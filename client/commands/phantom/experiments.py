# SPDX-License-Identifier: Apache-2.0
"""`skynet phantom experiments`: which conditions the shop's sessions come under."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import click

from bls.errors import invalid
from bls.phantom.experiments import KEY, Experiments, read_experiments
from client.commands.key_store import judged, opened, publisher, signed, store_option
from client.palette import printable
from client.table import table

_HEAD = ("experiment", "mode", "first", "last", "conditions")


@click.command()
@click.option(
    "--publish",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Make the experiments of this JSON file the live ones.",
)
@store_option
def experiments(file: Path | None, store: str) -> None:
    """List the experiments that are live, or publish others."""
    if file is not None:
        value = _read(file)
        read_experiments(value)
        with closing(opened(store)) as found:
            private, desk = publisher(KEY, None, found)
            click.echo(signed(desk.publish(KEY, value, private)))
        return
    with closing(opened(store)) as found:
        entry, verdict = judged(found, KEY)
    if verdict != "ok":
        raise invalid("bad_experiments", f"What is in the store does not count: {verdict}.")
    _show(read_experiments(entry.value) if entry else Experiments({}))


def _show(live: Experiments) -> None:
    rows = [
        (one.name, one.mode, one.first, one.last, _shares(one.conditions))
        for one in live.known.values()
    ]
    click.echo(printable(table(_HEAD, rows)) if rows else "none")


def _shares(conditions: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:g}" for name, share in conditions.items())


def _read(file: Path) -> dict[str, object]:
    try:
        value = json.loads(file.read_text())
    except (OSError, ValueError):
        value = None
    if not isinstance(value, dict):
        raise invalid("bad_experiments", "The file is no JSON object.")
    return value
