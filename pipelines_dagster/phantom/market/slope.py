# SPDX-License-Identifier: Apache-2.0
"""What contamination costs: revenue of an episode against the share of agents, by least squares.

`python -m pipelines_dagster.phantom.market.slope [--write docs/phantom_market.md]`. Published:
revenue = 348,823 - 90,141 alpha at 100 products, n = 95: -26 % at alpha 1; how those prices were
set the page does not say. Here too 19 shares x 5 seeds, the same visitors at every
share of a seed, both readings of "then normalised", and constant prices set in four ways: `base`,
never moved; `one multiplier`, the best at each share for the whole catalogue; `one price`, the best
at each share anywhere in the range; `one price, held`, the best without agents, kept whatever
comes. "Best" is found on other seeds than the line is fitted on. The episodes of a seed are no
independent points, so a seed gives one slope; intervals are 95 %, Student's t over those slopes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from tqdm import tqdm

from pipelines_dagster.phantom.market.behaviour import bank_of, built_in
from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.market.mixture import curves
from pipelines_dagster.phantom.market.page import put, table
from pipelines_dagster.phantom.market.provenance import told
from pipelines_dagster.phantom.market.visits import crowd, visit

F64 = NDArray[np.float64]
SHARES = np.linspace(0.0, 1.0, 19)
SEEDS = 5
PRICES = np.arange(24.0, 48.0, 2.0)
PUBLISHED = (348_823.0, -90_141.0)


@dataclass(frozen=True)
class Line:
    """revenue = at_zero + slope alpha, the slope's half-width at 95 %, and the points.

    Attributes:
        revenue: f64[seeds, shares], at `SHARES`.
    """

    at_zero: float
    slope: float
    reach: float
    revenue: F64

    @property
    def share(self) -> float:
        """What full contamination takes away, of the revenue without."""
        return self.slope / self.at_zero


def fitted(alpha: F64, revenue: F64) -> Line:
    """The mean of the least-squares lines of the seeds, of revenue f64[seeds, shares] at alpha
    f64[shares]; two or more seeds."""
    slope, at_zero = np.polyfit(alpha, revenue.T, 1)
    count = len(revenue)
    reach = student.ppf(0.975, count - 1) * slope.std(ddof=1) / np.sqrt(count)
    return Line(float(at_zero.mean()), float(slope.mean()), float(reach), revenue)


def episodes(config: MarketConfig, prices: F64, seed: int) -> F64:
    """Revenue of one episode at each of `SHARES` under constant prices [products], for one seed.

    Constant prices leave no dynamics, so an episode's steps are worked off side by side; the shares
    are judged on the same visitors, as the alpha grid of the robust objective is.
    """
    rng = np.random.default_rng(seed)
    shares = np.tile(SHARES, (config.steps, 1))
    came = crowd(config, config.steps, rng)
    bank = bank_of(config, built_in(), 0)
    posted = np.tile(prices, (config.steps, 1))
    tally = visit(config, bank, posted, shares[:, 0], came, rng=rng, grid=shares)
    total: F64 = tally.grid_revenue.sum(axis=0)
    return total


def lines_of(config: MarketConfig, choices: F64, seed: int) -> tuple[Line, Line]:
    """The line of the best of `choices` [k, products] at each share, and that of the best at 0.

    The lines are of `SEEDS` seeds, the best is so on the next as many.
    """
    count = 1 if len(choices) == 1 else 2  # nothing to choose
    found = [
        [episodes(config, each, seed + one) for each in choices] for one in range(count * SEEDS)
    ]
    revenue = np.stack([np.stack(each) for each in found])  # [seeds, choices, shares]
    best = revenue[-SEEDS:].mean(axis=0).argmax(axis=0)
    kept = (revenue[:SEEDS, choice, np.arange(len(SHARES))] for choice in (best, best[:1]))
    free, held = (fitted(SHARES, each) for each in kept)
    return free, held


def report(products: int, seed: int) -> tuple[str, dict[str, Line]]:
    """The table as Markdown and its lines."""
    lines: dict[str, Line] = {}
    for normalise in tqdm(("session", "volume"), desc="normalised by", leave=False):
        config = MarketConfig(products=products, normalise=normalise, bank=64)
        ways = {
            "base": config.base[None],
            "one multiplier": config.ladder,
            "one price": np.tile(PRICES[:, None], (1, products)),
        }
        for name, choices in ways.items():
            free, held = lines_of(config, choices, seed)
            lines[f"{normalise}: {name}"] = free
            if name == "one price":
                lines[f"{normalise}: one price, held"] = held
    rows = [
        (name, f"{x.at_zero:,.0f}", f"{x.slope:,.0f} ± {x.reach:,.0f}", f"{100 * x.share:.1f} %")
        for name, x in lines.items()
    ]
    whole, steep = PUBLISHED
    said = ("published", f"{whole:,.0f}", f"{steep:,.0f}", f"{100 * steep / whole:.1f} %")
    head = (f"revenue of an episode, {products} products", "at alpha 0", "slope", "at alpha 1")
    return table(head, [said, *rows]), lines


def plot(config: MarketConfig, lines: dict[str, Line], file: Path) -> None:
    """Revenue curves of one item by alpha; revenue of an episode against alpha. An SVG."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    with mpl.rc_context({"svg.hashsalt": "phantom", "svg.fonttype": "none", "font.size": 9}):
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
        for alpha in (0.0, 0.3, 0.6, 1.0):
            found = curves(config, alpha)
            left.plot(found.prices, found.revenue, lw=1, label=f"alpha {alpha:g}")
            left.plot(found.best, found.revenue.max(), "o", ms=3, color=left.lines[-1].get_color())
        left.set(xlabel="price", ylabel="p Q(p) of one visitor and item", xlim=(10, 90))
        for name, line in lines.items():
            mean = line.revenue.mean(axis=0) / line.at_zero
            right.plot(SHARES, 100 * mean, "o-", ms=2, lw=0.8, label=name)
        whole, steep = PUBLISHED
        right.plot(
            SHARES, 100 * (1 + steep / whole * SHARES), "--", color="grey", label="published"
        )
        right.set(xlabel="alpha", ylabel="revenue, % of that at alpha 0")
        for axes in (left, right):
            axes.legend(frameon=False, fontsize=7)
        figure.savefig(file, format="svg", metadata={"Date": None})
        pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; with a page writes it there, and the plot beside it."""
    parser = argparse.ArgumentParser(description="Revenue against the share of agents.")
    parser.add_argument("--products", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="a page with the mark `slope`")
    asked = parser.parse_args(arguments)
    text, lines = report(asked.products, asked.seed)
    text += f"\n\n{len(SHARES)} shares x {SEEDS} seeds; {told(asked.seed)}"
    print(text)
    if asked.write:
        put(asked.write, "slope", text)
        plot(MarketConfig(), lines, asked.write.with_name(f"{asked.write.stem}_slope.svg"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
