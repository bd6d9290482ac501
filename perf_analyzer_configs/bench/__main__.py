# SPDX-License-Identifier: Apache-2.0
"""`make bench`: runs the stack on free ports and prints every figure of the README."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

from bls.settings import REPOSITORY, load_settings
from client.launcher.stack import Stack
from perf_analyzer_configs.bench import (
    auction,
    brain,
    churn,
    policy,
    prelude,
    records,
    repeat,
    speed,
    swap,
)
from perf_analyzer_configs.bench.figures import Figure, publish
from perf_analyzer_configs.bench.floor import Floor

ALONE: dict[str, Callable[[], list[Figure]]] = {
    "auction": auction.step,
    "policy": policy.latency,
    "records": records.written,
    "swap": swap.hot_swaps,
    "prelude": prelude.before_the_first_token,
}
"""Parts that need no server, or start their own."""
PARTS = (*ALONE, "inter_token", "brain", "first_token", "stall", "throughput", "repeat", "churn")


def main() -> int:
    """0 when every goal was met."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="run just this part")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per figure")
    parser.add_argument("--replies", type=int, default=500, help="replies of the churn test")
    parser.add_argument("--json", type=Path, default=REPOSITORY / "build" / "bench.json")
    args = parser.parse_args()
    chosen = args.only or PARTS
    figures: list[Figure] = []
    for name, part in ALONE.items():
        if name in chosen:
            _say(name)
            figures += part()
    if set(chosen) - set(ALONE):
        figures += _with_stack(chosen, args.rounds, args.replies)
    publish(figures, args.json)
    return 0 if all(figure.met is not False for figure in figures) else 1


def _with_stack(chosen: tuple[str, ...], rounds: int, replies: int) -> list[Figure]:
    settings = dataclasses.replace(
        load_settings(), port=0, triton_grpc_port=0, triton_metrics_port=0
    )
    floor = Floor(settings.llm_folder(), settings.llm_threads)
    figures: list[Figure] = []
    with Stack(settings, progress=_say) as stack:
        url = stack.gateway_url
        parts: dict[str, Callable[[], list[Figure]]] = {
            "inter_token": lambda: speed.inter_token(url, floor, rounds),
            "brain": lambda: brain.added(url, stack.metrics_url, rounds),
            "first_token": lambda: speed.first_token(url, floor, rounds + 2),
            "stall": lambda: speed.stall(url, rounds),
            "throughput": lambda: speed.throughput(url, floor, rounds),
            "repeat": lambda: repeat.same_reply(url),
            "churn": lambda: churn.many_replies(stack, replies),
        }
        speed.inter_token(url, floor, 1, 24)  # warm-up
        for name in PARTS:
            if name in chosen and name in parts:
                _say(name)
                figures += parts[name]()
                for figure in figures[-1:]:
                    _say(figure.row())
    return figures


def _say(text: str) -> None:
    print(f"[bench] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
