# SPDX-License-Identifier: Apache-2.0
"""The Stackelberg loop: prices, answers, prices, until they settle or come round again.

`python -m pipelines_dagster.phantom.market.stackelberg [--write docs/phantom_market.md]`. The game
is in `game`. Three platforms meet the same population, each judged after the agents' best answer:
`naive` prices as if there were no agents; `alternating` answers the reconnaissance it saw last;
`committed` knows that agents will answer (the Stackelberg leader). Alternation settles when prices
repeat; when it comes back to earlier prices it cycles, and is worth the mean over the cycle. The
revenue of the committed platform is also simulated, visitor by visitor, on sessions of the bank.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pipelines_dagster.phantom.market.behaviour import AGENT, HUMAN, Bank, bank_of, built_in
from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.market.game import Game
from pipelines_dagster.phantom.market.measured import drivers
from pipelines_dagster.phantom.market.page import put, table
from pipelines_dagster.phantom.market.provenance import told

I64 = NDArray[np.int64]
MOST_ROUNDS = 200
ALPHAS = (0.0, 0.2, 0.4, 0.6, 0.8)
EFFORTS = (20.0, 2.0, 0.2)


@dataclass(frozen=True)
class Round:
    """Prices by cell (actions), the reconnaissance that answers them, revenue a visitor."""

    posted: I64
    queries: int
    revenue: float


@dataclass(frozen=True)
class Settled:
    """How alternation ended: the rounds that repeat (one: it settled), after `rounds` in all."""

    cycle: tuple[Round, ...]
    rounds: int

    @property
    def revenue(self) -> float:
        return float(np.mean([each.revenue for each in self.cycle]))


def answered(game: Game, posted: I64) -> Round:
    """The agents' best answer to prices."""
    queries = game.reconnaissance(posted)
    return Round(posted, queries, game.revenue(posted, queries))


def alternate(game: Game) -> Settled:
    """Best answers in turn, from prices for agents who do not look around."""
    played: list[Round] = []
    seen: dict[bytes, int] = {}
    posted = game.pricing(1)
    for number in range(MOST_ROUNDS):
        key = posted.tobytes()
        if key in seen:
            return Settled(tuple(played[seen[key] :]), number)
        seen[key] = number
        played.append(answered(game, posted))
        posted = game.pricing(played[-1].queries, posted)
    return Settled(tuple(played), MOST_ROUNDS)


def naive(game: Game) -> Round:
    """Prices for people alone, and what agents make of them."""
    return answered(game, replace(game, alpha=0.0).pricing(1))


def committed(game: Game) -> Round:
    """The Stackelberg leader's. With six cells the best of several local optima: from the leader's
    who does not see f(tau), and from where alternation ended."""
    if not game.sees_agent:
        return answered(game, game.pricing(None))
    blind = replace(game, sees_agent=False).pricing(None)
    starts = [np.concatenate([blind, blind]), *(each.posted for each in alternate(game).cycle)]
    found = (answered(game, game.pricing(None, start)) for start in starts)
    return max(found, key=lambda move: move.revenue)


def simulate(game: Game, move: Round, visitors: int, seed: int) -> tuple[float, float]:
    """Revenue a visitor and the half-width of its 95 % interval: valuations and trajectories are
    drawn, an agent's N sessions from the bank one by one."""
    rng = np.random.default_rng(seed)
    paid = np.concatenate(
        [_crowd(game, move, min(20_000, visitors - at), rng) for at in range(0, visitors, 20_000)]
    )
    return float(paid.mean()), float(1.96 * paid.std(ddof=1) / np.sqrt(visitors))


def _crowd(game: Game, move: Round, visitors: int, rng: np.random.Generator) -> NDArray[np.float64]:
    is_agent = rng.random(visitors) < game.alpha
    queries = rng.integers(0, game.config.bank, (visitors, move.queries))
    quoted = game.prices[move.posted[game.cells[AGENT]]][queries].min(axis=1)
    cell = game.cells[HUMAN][queries[:, 0]]
    laws = [game.person(each) for each in range(game.count)]
    mean = np.where(is_agent, game.config.agent.mean, np.array([x.mean for x in laws])[cell])
    spread = np.where(is_agent, game.config.agent.spread, np.array([x.spread for x in laws])[cell])
    price = np.where(is_agent, quoted, game.prices[move.posted][cell])
    value = rng.normal(mean, spread) + rng.normal(0.0, game.config.noise, visitors)
    paid: NDArray[np.float64] = price * np.maximum(0.0, value - price)
    return paid


def games(config: MarketConfig, bank: Bank, sees_agent: bool) -> Iterator[Game]:
    """One for every effort and share."""
    for effort in EFFORTS:
        for alpha in ALPHAS:
            yield Game(config, bank, alpha, effort, sees_agent)


HEAD = ("effort", "alpha", "naive: N, revenue", "alternating: rounds, cycle, revenue",
        "committed: N, multipliers", "revenue", "simulated", "COI")  # fmt: skip


def report(config: MarketConfig, visitors: int, seed: int) -> str:
    """Tables as Markdown: the platform blind to f(tau), then one that sees it, then one that sees
    it of sessions like those of our drivers, whose classes overlap."""
    drawn, like = bank_of(config, built_in(), 0), drivers()
    recorded = bank_of(like.config(config), like.behaviour, 0)
    parts = []
    for title, bank, sees_agent in (
        ("Priced by interest", drawn, False),
        ("By interest and f(tau)", drawn, True),
        ("By interest and f(tau), kernels of our drivers", recorded, True),
    ):
        every = tqdm(list(games(config, bank, sees_agent)), desc=title, leave=False)
        rows = [_row(game, visitors, seed) for game in every]
        parts.append(f"{title}:\n\n{table(HEAD, rows)}")
    return "\n\n".join(parts)


def _row(game: Game, visitors: int, seed: int) -> tuple[str, ...]:
    blind, turned, leader = naive(game), alternate(game), committed(game)
    mean, reach = simulate(game, leader, visitors, seed)
    steps = " ".join(f"{game.config.multipliers[each]:g}" for each in leader.posted)
    return (
        f"{game.effort:g}",
        f"{game.alpha:g}",
        f"{blind.queries}, {blind.revenue:.1f}",
        f"{turned.rounds}, {len(turned.cycle)}, {turned.revenue:.1f}",
        f"{leader.queries}, {steps}",
        f"{leader.revenue:.1f}",
        f"{mean:.1f} ± {reach:.1f}",
        f"{game.coi(leader.posted):.2f}",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables; with a page writes them into it."""
    parser = argparse.ArgumentParser(description="The Stackelberg loop.")
    parser.add_argument("--visitors", type=int, default=100_000, help="of the simulation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="a page with the mark `stackelberg`")
    asked = parser.parse_args(arguments)
    text = report(MarketConfig(), asked.visitors, asked.seed)
    text += f"\n\n{asked.visitors:,} simulated visitors; {told(asked.seed)}"
    print(text)
    if asked.write:
        put(asked.write, "stackelberg", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
