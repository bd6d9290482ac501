# SPDX-License-Identifier: Apache-2.0
"""`python -m bls.select.bench`: p50, p95 and p99 of `select` through Triton, one caller and four.

python -m bls.select.bench --creatives 100000 --index flat --requests 2000
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tritonclient import grpc

from bls.ads.database import open_database
from bls.ads.migrate import migrate
from bls.brain.context import files
from bls.brain.context.version import AxesVersion, of_files
from bls.contracts import SELECT
from bls.errors import SkynetError
from bls.select.answer import SelectAnswer
from bls.select.bench import measure, world
from bls.settings import REPOSITORY, Settings

F32 = NDArray[np.float32]

_READY_S = 300.0


def main() -> None:
    """Print everything."""
    options = _options()
    rng = np.random.default_rng(options.seed)
    axes = of_files(files.load())
    print(f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        middle = world.centres(rng)
        _fill(Path(folder), middle, options.creatives, rng)
        contexts = axes.project(world.embeddings(middle, 512, rng))
        _serve(Path(folder), contexts, axes, options)
    print(f"load at the end {os.getloadavg()[0]:.1f}")


def _fill(folder: Path, middle: F32, count: int, rng: np.random.Generator) -> None:
    began = time.perf_counter()
    engine = open_database(f"sqlite:///{folder / 'state' / 'skynet.db'}")
    migrate(engine)
    world.fill(engine, middle, count, rng)
    engine.dispose()
    print(f"{count} creatives stored in {time.perf_counter() - began:.0f} s", flush=True)


def _serve(folder: Path, contexts: F32, axes: AxesVersion, options: argparse.Namespace) -> None:
    from client.launcher.stack import Stack  # noqa: PLC0415  (only a bench starts servers)

    repository = folder / "repository"
    repository.mkdir()
    (repository / SELECT.name).symlink_to(REPOSITORY / "model_repository" / SELECT.name)
    settings = Settings(
        state=folder / "state",
        index=options.index,
        ready_timeout_s=int(_READY_S),
        port=0,
        triton_grpc_port=0,
        triton_metrics_port=0,
    )
    began = time.perf_counter()
    with Stack(settings, repository=repository, gateway=False) as stack:
        first = _first(measure.Caller(stack.triton_address, axes, "first"), contexts[0])
        took = time.perf_counter() - began
        print(f"server and {options.index} index {first.index} ready in {took:.0f} s")
        print(measure.HEAD)
        for callers in (1, 4):
            each = options.requests // callers
            print(
                measure.latencies(stack.triton_address, contexts, axes, callers, each), flush=True
            )


def _first(caller: measure.Caller, ctx: F32) -> SelectAnswer:
    until = time.monotonic() + _READY_S
    while True:
        try:
            return caller.ask(ctx)
        except grpc.InferenceServerException as fault:
            code = SkynetError.from_wire(fault.message()).code
            if code != "index_missing" or time.monotonic() > until:
                raise
            time.sleep(0.2)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bls.select.bench", description=__doc__)
    parser.add_argument("--creatives", type=int, default=100_000)
    parser.add_argument("--index", choices=("auto", "flat", "ivfpq"), default="auto")
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
