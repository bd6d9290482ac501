# SPDX-License-Identifier: Apache-2.0
"""`skynet pipelines`: Dagster with everything loaded, on a local folder.

What needs the pipelines extra is imported when it runs.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

import click

from client.commands.extra import pipelines_extra
from client.commands.stack import progress

PORT = 3000


@click.command()
@click.option("--port", type=int, default=PORT, show_default=True, help="Of the page; 0: any.")
@click.option("--broker/--no-broker", default=True, help="Start a Kafka where none answers.")
def pipelines(port: int, broker: bool) -> None:
    """Run schedules, sensors and their page until Ctrl-C; state is below .state/dagster."""
    with pipelines_extra():
        from pipelines_dagster.defs.operations.dev import DevServer  # noqa: PLC0415
        from pipelines_dagster.settings import load_pipeline_settings  # noqa: PLC0415

    end_on_sigterm()
    settings = load_pipeline_settings()
    with DevServer(settings, port, broker=broker, progress=progress()) as server:
        click.echo(f"ready at {server.url}  (Ctrl-C stops)", err=True)
        server.wait()
    click.echo("stopped", err=True)


def end_on_sigterm() -> None:
    """SIGTERM ends the process through its `finally` blocks, so children are stopped."""

    def stop(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, stop)
