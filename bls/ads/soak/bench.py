# SPDX-License-Identifier: Apache-2.0
"""`python -m bls.ads.soak.bench`: reservations and commits a second, and what one takes."""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence

import numpy as np

from bls.ads import plans
from bls.ads.database import open_database, write
from bls.ads.flight import MICROS_MAX, Flight
from bls.ads.ledger import Ledger
from bls.ads.migrate import migrate


def measure(
    ledger: Ledger, threads: int, replies: int
) -> tuple[float, Sequence[float], Sequence[float]]:
    """Seconds in all, and of each reservation and commit, of `replies` replies a thread."""
    reserved: list[float] = []
    committed: list[float] = []

    def timed(spent: list[float], call: Callable[[], object]) -> None:
        began = time.perf_counter()
        call()
        spent.append(time.perf_counter() - began)

    def run(number: int) -> None:
        advertiser = f"bench_{number % 8}"
        for _ in range(replies):
            key = uuid.uuid4().hex
            timed(reserved, lambda key=key: ledger.reserve(advertiser, key, 100))  # type: ignore[misc]
            timed(committed, lambda key=key: ledger.commit(advertiser, key, 60))  # type: ignore[misc]

    working = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    began = time.perf_counter()
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    return time.perf_counter() - began, reserved, committed


def main(argv: Sequence[str] | None = None) -> int:
    """Prints one line for each number of threads."""
    parser = argparse.ArgumentParser(prog="python -m bls.ads.soak.bench", description=__doc__)
    parser.add_argument("--url", default="", help="an empty database; default: a fresh SQLite file")
    parser.add_argument("--replies", type=int, default=2_000, help="in all, for each line")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="skynet-bench-") as folder:
        url = args.url or f"sqlite:///{folder}/bench.db"
        engine = open_database(url, os.environ.get("SKYNET_DATABASE_PASSWORD", ""))
        migrate(engine)
        now = int(time.time())
        flight = Flight(budget_micros=MICROS_MAX, start=now, end=now + 86_400)
        for number in range(8):
            name = f"bench_{number}"
            write(engine, lambda c, name=name: plans.fund(c, name))  # type: ignore[misc]
            write(engine, lambda c, name=name: plans.set_flight(c, name, flight, now))  # type: ignore[misc]
        ledger = Ledger(engine, "bench", uuid.uuid4().hex)
        measure(ledger, 1, 20)
        for threads in (1, 8, 64):
            seconds, reserved, committed = measure(ledger, threads, max(1, args.replies // threads))
            print(
                f"{engine.dialect.name} {threads:>2} threads: "
                f"{(len(reserved) + len(committed)) / seconds:6.0f} operations/s; ms p50/p95: "
                f"reserve {_ms(reserved, 50)}/{_ms(reserved, 95)}, "
                f"commit {_ms(committed, 50)}/{_ms(committed, 95)}",
                flush=True,
            )
        engine.dispose()
    return 0


def _ms(seconds: Sequence[float], percentile: int) -> str:
    return f"{np.percentile(seconds, percentile) * 1e3:.2f}"


if __name__ == "__main__":
    raise SystemExit(main())
