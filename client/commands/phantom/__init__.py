# SPDX-License-Identifier: Apache-2.0
"""`skynet phantom`: shop traffic, agent scores, and pricing that survives agents.

What needs the pipelines extra is imported when a command runs.
"""

from __future__ import annotations

import click

from client.commands.phantom.bench import bench
from client.commands.phantom.experiments import experiments
from client.commands.phantom.sessions import sessions
from client.commands.phantom.sheet import import_sheet
from client.commands.phantom.shop import shop
from client.commands.phantom.traffic import traffic
from client.commands.phantom.train import train


@click.group()
def phantom() -> None:
    """Shopping agents told from people, and prices that survive them (docs/phantom.md)."""


_COMMANDS: tuple[click.Command, ...] = (
    shop,
    sessions,
    experiments,
    import_sheet,
    traffic,
    bench,
    train,
)

for command in _COMMANDS:
    phantom.add_command(command)
