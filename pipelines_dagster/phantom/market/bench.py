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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipelines_dagster.phantom.market.behaviour import AGENT, acts, built_in
from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.market.env import MarketVecEnv
from pipelines_dagster.phantom.market.expand import Expansion
from pipelines_dagster.phantom.market.page import put, table
from pipelines_dagster.phantom.market.provenance import told
from pipelines_dagster.phantom.market.reference import ScalarMarket
from pipelines_dagster.phantom.market.reward import ROBUST, Robust

PUBLISHED = {"none": ("26", "220"), "grid": ("7.2", "136"), "w1": ("-", "-")}
SIZES = (10, 100, 1000)
ENVS = 512


@dataclass(frozen=True)
class Rate:
    """Environment steps in a second: by the clock, and of this process's time on the core, which
    is the same where nobody else wants the core."""

    clock: float
    core: float


def rate(step: Callable[[], Any], count: int, seconds: float) -> Rate:
    """The best of three runs, each of a third of `seconds`."""
    step()
    clock = core = 0.0
    for _ in range(3):
        done, start, worked = 0, time.perf_counter(), time.process_time()
        while (spent := time.perf_counter() - start) < seconds / 3 or not done:
            step()
            done += count
        clock = max(clock, done / spent)
        core = max(core, done / max(time.process_time() - worked, 1e-9))
    return Rate(clock, core)


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
    config = MarketConfig(products=3, sessions=10)
    rows: list[tuple[str, ...]] = []
    for robust in tqdm(ROBUST, desc="10 sessions, 3 products", leave=False):
        ours = rate(vector(config, ENVS, robust, seed), ENVS, seconds)
        one = rate(vector(config, 1, robust, seed), 1, seconds)
        slow = rate(scalar(config, robust, seed), 1, seconds)
        rows.append(
            (
                robust,
                f"{ours.clock:,.0f}",
                f"{ours.core:,.0f}",
                f"{one.core:,.0f}",
                f"{slow.core:,.0f}",
                f"{ours.core / slow.core:.0f}x",
                *PUBLISHED[robust],
            )
        )
    return rows


def cost(seconds: float, seed: int) -> list[tuple[str, ...]]:
    """Rows: products, sessions, then milliseconds a market step per objective, and peak memory."""
    rows: list[tuple[str, ...]] = []
    sizes = [(products, sessions) for products in SIZES for sessions in SIZES]
    for products, sessions in tqdm(sizes, desc="sizes", leave=False):
        config = MarketConfig(products=products, sessions=sessions)
        count = max(1, min(ENVS, 200_000 // (products * sessions)))
        spent = [
            f"{1e3 / rate(vector(config, count, robust, seed), count, seconds).core:.3f}"
            for robust in ROBUST
        ]
        rows.append((f"{products:,}", f"{sessions:,}", *spent, f"{_peak(config, seed):.1f}"))
    return rows


def _peak(config: MarketConfig, seed: int) -> float:
    """MiB that a robust step of one market takes at most, above what it holds."""
    step = vector(config, 1, "grid", seed)
    step()
    return _measured(step)[2]


def _measured(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it gives, seconds of a core (untraced), MiB at most (a second run, traced)."""
    start = time.process_time()
    result = work()
    spent = time.process_time() - start
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return result, spent, peak


def expansion(seed: int, items: int = 1000) -> list[tuple[str, ...]]:
    """Rows: what is done with a catalogue of 14 acts on items, its entries, core ms, MiB."""
    rng = np.random.default_rng(seed)
    every = np.ones(14, bool)
    one = Expansion(built_in().kernels[AGENT], rng.dirichlet(np.ones(items)), every, stay=0.3)
    law = np.full(one.states, 1 / one.states)
    found = acts(built_in(), AGENT, np.full(items, 50), rng)
    dense, factors = one.states**2, f"{one.kernel.size + items:,}"
    rows: list[tuple[str, ...]] = [
        ("dense matrix (not built)", f"{dense:,}", "-", f"{dense * 8 / 2**20:,.0f}")
    ]
    for name, work in (
        ("factors: one step of a law", lambda: one.forward(law)),
        (f"factors: {found.size:,} acts sampled", lambda: one.sample(found, rng)),
        ("CSR, 8 items a block", lambda: one.sparse(8)),
    ):
        result, spent, peak = _measured(work)
        entries = f"{result.nnz:,}" if hasattr(result, "nnz") else factors
        rows.append((name, entries, f"{1e3 * spent:.1f}", f"{peak:.1f}"))
    return rows


SPEED_HEAD = ("objective", "steps/s by the clock", "a core-second", "one market alone",
              "scalar twin", "ratio", "pandas*", "JAX*")  # fmt: skip
COST_HEAD = ("products", "sessions", "none ms", "grid ms", "w1 ms", "peak MiB")


EXPANSION_HEAD = ("14 acts x 1,000 items", "entries", "core ms", "peak MiB")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables; with a page writes them into it."""
    parser = argparse.ArgumentParser(description="Speed of the market.")
    parser.add_argument("--seconds", type=float, default=1.5, help="per figure")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="a page with the mark `bench`")
    asked = parser.parse_args(arguments)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        text = "\n\n".join(
            [
                f"10 sessions, 3 products, {ENVS} markets in step (* published, other hardware):",
                table(SPEED_HEAD, speed(asked.seconds, asked.seed)),
                "Core milliseconds a step of one market, alpha grid of 5; memory of a robust step:",
                table(COST_HEAD, cost(asked.seconds / 2, asked.seed)),
                table(EXPANSION_HEAD, expansion(asked.seed)),
                told(asked.seed) + ", on one core",
            ]
        )
    finally:
        os.sched_setaffinity(0, cores)
    print(text)
    if asked.write:
        put(asked.write, "bench", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
