# SPDX-License-Identifier: Apache-2.0
"""`python -m bls.ads.soak`: random replies, broken-off transactions and killed servers."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bls.ads.soak.plan import Plan
from bls.ads.soak.run import soak
from bls.errors import SkynetError


def main(argv: Sequence[str] | None = None) -> int:
    """0 when nothing was overspent or lost, else 1."""
    args = _parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="skynet-soak-") as folder:
        plan = Plan(
            url=args.url or f"sqlite:///{folder}/soak.db",
            folder=Path(folder),
            processes=args.processes,
            threads=max(1, args.threads // args.processes),
            faults=args.faults,
            seed=args.seed,
            password=os.environ.get("SKYNET_DATABASE_PASSWORD", ""),
        )
        try:
            result = soak(plan, args.operations, args.kills)
        except SkynetError as error:
            print(f"soak: {error}", file=sys.stderr)
            return 1
    print(
        f"{result.operations} operations by {plan.processes * plan.threads} threads of "
        f"{plan.processes} processes in {result.seconds:.1f} s "
        f"({result.operations / result.seconds:.0f}/s), {result.kills} killed, "
        f"{args.faults:.1%} of statements broken off"
    )
    print(f"spent {result.spent} of {result.budget} micro-dollars; looked {result.looks} times")
    for fault in result.faults[:20]:
        print(f"FAULT {fault}")
    print("never overspent, nothing lost" if not result.faults else "FAILED")
    return 1 if result.faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bls.ads.soak", description=__doc__)
    parser.add_argument("--operations", type=int, default=100_000, help="in all")
    parser.add_argument("--threads", type=int, default=64, help="in all")
    parser.add_argument("--processes", type=int, default=4, help="servers")
    parser.add_argument("--kills", type=int, default=20, help="SIGKILLs of a server")
    parser.add_argument("--faults", type=float, default=0.002, help="share of statements")
    parser.add_argument("--seed", type=int, default=1, help="of kills; threads differ each time")
    parser.add_argument("--url", default="", help="an empty database; default: a fresh SQLite file")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
