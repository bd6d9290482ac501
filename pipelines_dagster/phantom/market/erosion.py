# SPDX-License-Identifier: Apache-2.0
"""The COI erosion law against a simulation, where its assumption holds and where it does not.

`python -m pipelines_dagster.phantom.market.erosion [--write docs/phantom_market.md]`. A buyer
queries N sessions and pays the least of the N prices. With independent sessions the mean of what
`--buyers` of them pay must agree with `E[p_(1)] = p_min + integral (1 - F)^N` for every N: shown
for three price laws, the last being what the surge heuristic posted in the market. Intervals are
95 %, normal, and never narrower than what no dear purchase among that many buyers can rule out. The
same draws serve every N, so one law's intervals err together: `z` is the largest distance in
half-widths of an interval over 1.96; under the law P(z > 4.0) < 0.7 % over 100 of them.

Dependent sessions are outside the law. `factor`: ranks share a Gaussian factor of weight rho (a
platform whose quotes all follow one signal). `sticky`: each query repeats the last price with
probability rho (a platform that knows the buyer again, or sessions that collude). At rho = 1 the
buyer sees one price and the COI does not erode at all.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from tqdm import tqdm

from bls.contracts import PriceState
from pipelines_dagster.phantom.market.coi import (
    Discrete,
    PriceLaw,
    TruncatedNormal,
    Uniform,
    law_of,
    level,
)
from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.market.env import WIDTH, MarketVecEnv
from pipelines_dagster.phantom.market.page import put, table
from pipelines_dagster.phantom.market.provenance import told

F64 = NDArray[np.float64]
Tie = Literal["independent", "factor", "sticky"]
SHOWN = (1, 2, 5, 10, 20, 50, 100)
QUERIES = 100
_CHUNK = 4096
_UNSEEN = 3.69
"""-ln 0.025: what did not happen in n tries has a probability below this over n (97.5 %)."""


@dataclass(frozen=True)
class Erosion:
    """What was paid by number of queries 1..n: mean, half-width of its 95 % interval, the law's."""

    paid: F64
    reach: F64
    law: F64
    lowest: float

    @property
    def z(self) -> float:
        """Largest distance from the law, in standard errors."""
        return float(1.96 * (np.abs(self.paid - self.law) / self.reach).max())

    @property
    def inside(self) -> float:
        """Share of N whose interval holds the law."""
        return float((np.abs(self.paid - self.law) <= self.reach).mean())


def simulate(
    law: PriceLaw,
    buyers: int,
    seed: int,
    *,
    tie: Tie = "independent",
    rho: float = 0.0,
    queries: int = QUERIES,
) -> Erosion:
    """Buyers who query 1..`queries` sessions of one price law. Memory does not grow with them."""
    rng = np.random.default_rng(seed)
    sums = np.zeros((2, queries))
    for start in range(0, buyers, _CHUNK):
        shape = (min(_CHUNK, buyers - start), queries)
        least = np.minimum.accumulate(law.quantile(_ranks(shape, tie, rho, rng)), axis=1)
        above = least - law.lowest
        sums += above.sum(axis=0), (above**2).sum(axis=0)
    mean, square = sums / buyers
    error = np.sqrt(np.maximum(square - mean**2, 0.0) / max(buyers - 1, 1))
    expected = law.expected_minimum(np.arange(1.0, queries + 1))
    unseen = _UNSEEN / buyers * (law.highest - law.lowest)
    return Erosion(law.lowest + mean, np.maximum(1.96 * error, unseen), expected, law.lowest)


def _ranks(shape: tuple[int, int], tie: Tie, rho: float, rng: np.random.Generator) -> F64:
    if tie == "factor":
        common, own = rng.standard_normal((shape[0], 1)), rng.standard_normal(shape)
        tied: F64 = ndtr(np.sqrt(rho) * common + np.sqrt(1 - rho) * own)
        return np.minimum(tied, 1 - 1e-16)
    ranks = rng.random(shape)
    if tie == "sticky":
        fresh = rng.random(shape) >= rho
        fresh[:, 0] = True
        last = np.maximum.accumulate(np.where(fresh, np.arange(shape[1]), 0), axis=1)
        return np.take_along_axis(ranks, last, axis=1)
    return ranks


def surge_law(config: MarketConfig, seed: int, steps: int = 50) -> Discrete:
    """The law of multiplier x mean base price that the published surge heuristic posts.

    1.2 x base where demand is at least 1.5 times the mean item's, 0.9 x at most half of it, else
    base; over the whole catalogue.
    """
    env = MarketVecEnv(config, 8, seed=seed)
    obs, _ = env.reset()
    near = [int(np.argmin(np.abs(np.asarray(config.multipliers) - m))) for m in (0.9, 1.0, 1.2)]
    posted = []
    for _ in range(steps):
        demand = obs.reshape(8, config.products, WIDTH)[..., PriceState.DEMAND]
        action = np.where(demand >= 1.5, near[2], np.where(demand <= 0.5, near[0], near[1]))
        obs, *_ = env.step(action)
        posted.append(action)
    chosen = np.asarray(config.multipliers)[np.stack(posted)]
    return law_of(np.round(chosen * config.base.mean(), 9))


def laws(config: MarketConfig, seed: int) -> dict[str, PriceLaw]:
    """The price laws that are simulated."""
    return {
        "uniform on [10, 150]": Uniform(config.low, config.high),
        "normal (80, 30) cut to [10, 150]": TruncatedNormal(80.0, 30.0, config.low, config.high),
        "surge heuristic's multipliers": surge_law(config, seed),
    }


TIES: tuple[tuple[Tie, float], ...] = (
    ("factor", 0.5), ("factor", 0.9), ("factor", 1.0), ("sticky", 0.9), ("sticky", 1.0),
)  # fmt: skip


def report(config: MarketConfig, buyers: int, seed: int) -> tuple[str, dict[str, Erosion]]:
    """Both tables as Markdown, and the curves behind them."""
    known = laws(config, seed)
    curves, held, broken = {}, [], []
    for name, law in tqdm(known.items(), desc="price laws", leave=False):
        found = curves[name] = simulate(law, buyers, seed)
        held.append(
            (name, f"{level(law):.2f}", *_cells(found), f"{found.inside:.2f}", f"{found.z:.1f}")
        )
    law = known["uniform on [10, 150]"]
    for tie, rho in tqdm(TIES, desc="dependence", leave=False):
        name = f"{tie}, rho {rho:g}"
        found = curves[name] = simulate(law, buyers, seed, tie=tie, rho=rho)
        broken.append((name, *_cells(found), f"{found.z:,.0f}"))
    at = [f"N = {queries}" for queries in SHOWN]
    text = (
        "COI left, `E[p_(1)] - p_min`, simulated, with half-width (the law's in brackets):\n\n"
        + table(("independent sessions", "COI", *at, "N in CI", "z"), held)
        + "\n\nDependent sessions, uniform prices (brackets: what the law would say):\n\n"
        + table(("dependence", *at, "z"), broken)
    )
    return text, curves


def _cells(found: Erosion) -> list[str]:
    return [
        f"{found.paid[n - 1] - found.lowest:.2f} ± {found.reach[n - 1]:.2f}"
        f" ({found.law[n - 1] - found.lowest:.2f})"
        for n in SHOWN
    ]


def plot(curves: dict[str, Erosion], file: Path) -> None:
    """COI left over COI at one query, against N: points simulated, lines the law. An SVG whose
    bytes depend on the figures alone."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    with mpl.rc_context({"svg.hashsalt": "phantom", "svg.fonttype": "none", "font.size": 9}):
        figure, panels = pyplot.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
        queries = np.arange(1, QUERIES + 1)
        shown = np.array(SHOWN) - 1
        for name, found in curves.items():
            tied = "rho" in name
            axes, whole = panels[int(tied)], found.law[0] - found.lowest
            left, reach = (found.paid - found.lowest) / whole, found.reach / whole
            line = axes.errorbar(
                queries[shown], left[shown], reach[shown], fmt="o", ms=3, label=name
            )
            if not tied:
                law = (found.law - found.lowest) / whole
                axes.plot(queries, law, lw=1, color=line[0].get_color())
        free = curves["uniform on [10, 150]"]
        law = (free.law - free.lowest) / (free.law[0] - free.lowest)
        panels[1].plot(queries, law, lw=1, color="grey", ls="--", label="the law (independent)")
        for axes, title in zip(
            panels, ("independent: the law holds", "dependent: it does not"), strict=True
        ):
            axes.set(xscale="log", xlabel="queries N", title=title)
            axes.legend(frameon=False, fontsize=7)
        panels[0].set_ylabel("COI left / COI of one query")
        figure.savefig(file, format="svg", metadata={"Date": None})
        pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables; with a page writes them into it, and the plot beside it."""
    parser = argparse.ArgumentParser(description="COI erosion: the law and a simulation.")
    parser.add_argument("--buyers", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="a page with the mark `erosion`")
    asked = parser.parse_args(arguments)
    text, curves = report(MarketConfig(), asked.buyers, asked.seed)
    text += f"\n\n{asked.buyers:,} buyers; {told(asked.seed)}"
    print(text)
    if asked.write:
        put(asked.write, "erosion", text)
        plot(curves, asked.write.with_name(f"{asked.write.stem}_erosion.svg"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
