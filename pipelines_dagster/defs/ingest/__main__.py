# SPDX-License-Identifier: Apache-2.0
"""`python -m pipelines_dagster.defs.ingest --once | --follow`: Kafka to the lake.

`--follow` is the long-running service; SIGTERM and SIGINT end it after what it is doing.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from bls.errors import SkynetError
from pipelines_dagster.defs.ingest.limits import IngestLimits
from pipelines_dagster.defs.ingest.once import ONCE, follow, ingest_once
from pipelines_dagster.defs.ingest.report import Report
from pipelines_dagster.settings import load_pipeline_settings


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 with one line when settings, Kafka or the lake are at fault."""
    parser = argparse.ArgumentParser(prog="ingest", description="Kafka to the lake, exactly once.")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--once", action="store_true", help="what is in Kafka now")
    mode.add_argument("--follow", action="store_true", help="until SIGTERM")
    parser.add_argument(
        "--seconds",
        type=float,
        default=IngestLimits.seconds,
        help="longest that an event waits for its commit (default %(default)s)",
    )
    chosen = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = load_pipeline_settings()
        if chosen.once:
            report = ingest_once(settings, ONCE, stop)
        else:
            report = follow(settings, stop, _progress, IngestLimits(seconds=chosen.seconds))
    except SkynetError as fault:
        print(f"ingest: {fault.message}", file=sys.stderr)
        return 1
    print(f"\ringest: {report.line()}", flush=True)
    return 0


def _progress(report: Report) -> None:
    if sys.stdout.isatty():
        print(f"\ringest: {report.line()}", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
