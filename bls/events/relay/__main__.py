# SPDX-License-Identifier: Apache-2.0
"""`python -m bls.events.relay --logs DIR --kafka HOST:PORT`: ship a log folder to Kafka.

SIGTERM sends what is on disk, writes the checkpoint and ends; SIGKILL loses nothing. Exit codes: 0
after a clean end, 1 when another relay has the folder, 2 for bad arguments.
"""

from __future__ import annotations

import argparse
import fcntl
import gc
import logging
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from bls.events.relay.relay import Relay, RelayOptions, known_topics

_LOCK_WAIT_S = 10.0
_GARBAGE = 100_000
"""Objects made between two looks for cycles: parsed lines have none."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bls.events.relay", description=__doc__)
    parser.add_argument("--logs", type=Path, required=True, help="log folder of one server")
    parser.add_argument("--kafka", required=True, help="bootstrap servers, HOST:PORT,...")
    parser.add_argument("--topics", default="", help="only these, comma between; default: all")
    words = parser.parse_args(argv)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    logging.getLogger("kafka").setLevel(logging.CRITICAL + 1)
    options = RelayOptions(words.logs, words.kafka)
    if words.topics:
        try:
            topics = known_topics(words.topics.split(","))
        except ValueError as error:
            parser.error(str(error))
        options = RelayOptions(words.logs, words.kafka, topics)
    words.logs.mkdir(parents=True, exist_ok=True)
    lock = _lock(words.logs / f"{options.name}.lock")
    if lock is None:
        print("relay: another relay ships this folder", file=sys.stderr)
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    gc.set_threshold(_GARBAGE)
    Relay(options).run(stop)
    lock.close()
    return 0


def _lock(path: Path) -> IO[bytes] | None:
    """One relay per folder and set of topics; None when another one stays."""
    file = path.open("ab")
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError:
            if time.monotonic() > deadline:
                file.close()
                return None
            time.sleep(0.1)


if __name__ == "__main__":
    raise SystemExit(main())
