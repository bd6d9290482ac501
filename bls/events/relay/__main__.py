# SPDX-License-Identifier: Apache-2.0
"""`python -m bls.events.relay --logs DIR --kafka HOST:PORT`: ship a log folder to Kafka.

SIGTERM sends what is on disk, writes the checkpoint and ends; SIGKILL loses nothing. Exit codes: 0
after a clean end, 1 when another relay has the folder, 2 for bad arguments.
"""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from bls.events.relay.relay import Relay, RelayOptions, known_topics
from bls.file_lock import lock_file

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
    lock = lock_file(words.logs / f"{options.name}.lock", _LOCK_WAIT_S)
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


if __name__ == "__main__":
    raise SystemExit(main())
