# SPDX-License-Identifier: Apache-2.0
"""`skynet phantom`: shop traffic, agent scores, and pricing that survives agents.

What needs the pipelines extra is imported when a command runs.
"""

from __future__ import annotations

import click

from client.commands.phantom.bench import bench
from client.commands.phantom.train import train


@click.group()
def phantom() -> None:
    """Shopping agents told from people, and prices that survive them (docs/phantom.md)."""


_COMMANDS: tuple[click.Command, ...] = (bench, train)

for command in _COMMANDS:
    phantom.add_command(command)
