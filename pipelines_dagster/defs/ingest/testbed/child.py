# SPDX-License-Identifier: Apache-2.0
"""An ingest in a process of its own, to be killed: it names each step on its output, and may be
told at which to kill itself.

    python -m pipelines_dagster.defs.ingest.testbed.child SERVERS ROOT RECORDS [OPTIONS]

It ends with 0 when nothing waits any more.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bls.errors import SkynetError
from pipelines_dagster.defs.ingest.ingest import Ingest, bronze
from pipelines_dagster.defs.ingest.limits import IngestLimits
from pipelines_dagster.lake.lake import Lake

_MODULE = "pipelines_dagster.defs.ingest.testbed.child"

WRITTEN = "written"
"""A step of the store's: the files are there, their commit is not."""


def start(
    servers: str, root: str, records: int, topics: Sequence[str], **options: Any
) -> subprocess.Popen[str]:
    """Start one. `options`: die (step), nth (of that step), store (options), told (folder)."""
    options["topics"] = list(topics)
    return subprocess.Popen(
        [sys.executable, "-m", _MODULE, servers, root, str(records), json.dumps(options)],
        stdout=subprocess.PIPE,
        text=True,
    )


def main(arguments: list[str]) -> int:
    servers, root, records, text = arguments
    options = json.loads(text)
    count: dict[str, int] = {}

    def step(name: str) -> None:
        print(name, flush=True)
        count[name] = count.get(name, 0) + 1
        if name == options.get("die") and count[name] == options.get("nth", 1):
            os.kill(os.getpid(), signal.SIGKILL)

    lake = Lake(root, options.get("store", {}))
    if options.get("die") == WRITTEN:
        table = Path(lake.uri(bronze(options["topics"][0])))
        threading.Thread(target=_die_at_file, args=(table,), daemon=True).start()
    told = options.get("told")
    ingest = Ingest(
        lake,
        servers,
        options["topics"],
        IngestLimits(records=int(records), seconds=5.0, backoff_s=0.05, backoff_max_s=1.0),
        ingested=Path(told) / "ingested.json" if told else None,
        step=step,
    )
    while True:
        try:
            if ingest.cycle(wait=False).caught_up:
                break
        except SkynetError as fault:
            if fault.code not in ("kafka_unavailable", "progress_moved"):
                raise
            time.sleep(0.1)
    ingest.close()
    print(json.dumps({"duplicates": ingest.report.duplicates, "retries": ingest.report.retries}))
    return 0


def _die_at_file(table: Path) -> None:
    """Kill this process as soon as a Parquet file is there that was not."""
    old = set(table.glob("dt=*/*.parquet"))
    while set(table.glob("dt=*/*.parquet")) == old:
        time.sleep(0.0005)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
