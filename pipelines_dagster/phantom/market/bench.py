# SPDX-License-Identifier: Apache-2.0
"""Steps a second of the market, and what a step costs by catalogue and crowd.

`python -m pipelines_dagster.phantom.market.bench`. On one core. The peer is the scalar twin
(`reference`), which does the same arithmetic one visitor at a time, as the published pandas engine
did in spirit; it is timed in the same run. Published on their hardware, 10 sessions, 3 products:
26 steps a second, 7.2 with the 5-point robust loop; 220 and 136 after a port to JAX.
"""

from __future__ import annotations

import argparse
import os
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from client.table import table
from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.market.env import MarketVecEnv
from pipelines_dagster.phantom.market.provenance import told
from pipelines_dagster.phantom.market.reference import ScalarMarket
from pipelines_dagster.phantom.market.reward import ROBUST, Robust

PUBLISHED = {"none": ("26", "220"), "grid": ("7.2", "136"), "w1": ("-", "-")}
SIZES = (10, 100, 1000)
ENVS = 512


def rate(step: Callable[[], Any], count: int, seconds: float) -> float:
    """Environment steps a second: the best of three runs, each of a third of `seconds`."""
    step()
    best = 0.0
    for _ in range(3):
        done, start = 0, time.perf_counter()
        while (spent := time.perf_counter() - start) < seconds / 3 or not done:
            step()
            done += count
        best = max(best, done / spent)
    return best


def vector(config: MarketConfig, count: int, robust: Robust, seed: int) -> Callable[[], Any]:
    """A step of `count` markets with prices that move."""
    env = MarketVecEnv(config, count, robust=robust, seed=seed)
    env.reset()
    rng = np.random.default_rng(seed)
    shape = (count, config.products)
    chosen = [rng.integers(2, len(config.multipliers), shape) for _ in range(8)]
    turn = iter(range(1 << 62))
    return lambda: env.step(chosen[next(turn) % len(chosen)])


def scalar(config: MarketConfig, robust: Robust, seed: int) -> Callable[[], Any]:
    """A step of one market by the scalar twin."""
    slow = ScalarMarket(config, 1, config.alpha, robust, seed)
    action = np.full((1, config.products), config.neutral)
    return lambda: slow.step(action)


def speed(seconds: float, seed: int) -> list[tuple[str, ...]]:
    """Rows: objective, ours, one market, scalar twin, ratio, published twice."""
    config, rows = MarketConfig(products=3, sessions=10), []
    for robust in tqdm(ROBUST, desc="10 sessions, 3 products", leave=False):
        ours = rate(vector(config, ENVS, robust, seed), ENVS, seconds)
        one = rate(vector(config, 1, robust, seed), 1, seconds)
        slow = rate(scalar(config, robust, seed), 1, seconds)
        rows.append(
            (robust, f"{ours:,.0f}", f"{one:,.0f}", f"{slow:,.0f}", f"{ours / slow:.0f}x")
            + PUBLISHED[robust]
        )
    return rows


def cost(seconds: float, seed: int) -> list[tuple[str, ...]]:
    """Rows: products, sessions, then milliseconds a market step per objective, and peak memory."""
    rows = []
    sizes = [(products, sessions) for products in SIZES for sessions in SIZES]
    for products, sessions in tqdm(sizes, desc="sizes", leave=False):
        config = MarketConfig(products=products, sessions=sessions)
        count = max(1, min(ENVS, 200_000 // (products * sessions)))
        spent = [
            f"{1e3 / rate(vector(config, count, robust, seed), count, seconds):.3f}"
            for robust in ROBUST
        ]
        rows.append((f"{products:,}", f"{sessions:,}", *spent, f"{_peak(config, seed):.1f}"))
    return rows


def _peak(config: MarketConfig, seed: int) -> float:
    """MiB that a robust step of one market takes at most, above what it holds."""
    step = vector(config, 1, "grid", seed)
    step()
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


SPEED_HEAD = ("objective", "steps/s", "one market", "scalar twin", "ratio", "pandas*", "JAX*")
COST_HEAD = ("products", "sessions", "none ms", "grid ms", "w1 ms", "peak MiB")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description="Speed of the market.")
    parser.add_argument("--seconds", type=float, default=1.5, help="per figure")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    one = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {one})
    print(told(asked.seed) + ", on one core\n")
    print(f"10 sessions, 3 products, {ENVS} markets in step (* published, other hardware):")
    print(table(SPEED_HEAD, speed(asked.seconds, asked.seed)))
    print("\nMilliseconds a step of one market, alpha grid of 5; memory of a robust step:")
    print(table(COST_HEAD, cost(asked.seconds / 2, asked.seed)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
