# SPDX-License-Identifier: Apache-2.0
"""`python -m pipelines_dagster.defs.promotion`: history, rollback, resume."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from bls.errors import SkynetError
from bls.models.model_key import SUBSYSTEMS
from client.table import table
from pipelines_dagster.defs.promotion.desk import Aliases, Desk, open_desk
from pipelines_dagster.defs.promotion.recover import rollback
from pipelines_dagster.defs.promotion.sensors import resume_all
from pipelines_dagster.settings import PipelineSettings, load_pipeline_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, 1 with the error on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines_dagster.defs.promotion", description=__doc__
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (
        ("history", "every event of a subsystem"),
        ("rollback", "make live what was live before the last promotion"),
    ):
        one = commands.add_parser(name, help=what)
        one.add_argument("subsystem", choices=SUBSYSTEMS)
    commands.add_parser("resume", help="end promotions whose process died")
    options = parser.parse_args(arguments)
    try:
        settings = load_pipeline_settings()
        aliases = None if options.command == "history" else _registry(settings)
        desk = open_desk(settings, aliases)
        if options.command == "history":
            print(_history(desk, options.subsystem))
        elif options.command == "rollback":
            print(f"{rollback(desk, options.subsystem).version} is live again")
        else:
            print("\n".join(resume_all(desk)) or "none was abandoned")
    except SkynetError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    return 0


def _registry(settings: PipelineSettings) -> Aliases:
    from pipelines_dagster.registry.mlflow_registry import open_registry  # noqa: PLC0415  (slow)

    return open_registry(settings)


def _history(desk: Desk, subsystem: str) -> str:
    rows = [
        (
            datetime.fromtimestamp(event.ts, UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
            event.event,
            event.stored.version,
            event.stored.served,
            event.reason,
        )
        for event in desk.ledger.events(subsystem)
    ]
    return table(("when", "event", "version", "sha256", "reason"), rows) if rows else "none"


if __name__ == "__main__":
    sys.exit(main())
