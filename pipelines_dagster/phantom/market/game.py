# SPDX-License-Identifier: Apache-2.0
"""The pricing game: a platform that prices by what a session shows, agents who look first.

Source: PHANTOM's model, "Stackelberg loop"; operator guide 2 (reconnaissance in one session,
purchase in another). The page gives the alternation alone; what follows is chosen, on the market's
own laws. One item. A session shows its interest: which third of people's sessions its weight of
acts on items falls into (and, if the platform looks, whether f(tau) is past one half). The platform
prices each such cell; people query once and pay their own cell's price; their valuation goes with
their interest (correlation `tie`). An agent opens N sessions, each a fresh trajectory of the agent
kernel, pays the least price and `effort` a session, and takes the N that maximises its surplus
`E[d(p_(1))^2] / 2 - effort N`, d the market's `max(0, v - p + noise)`: its reconnaissance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bls.errors import invalid
from pipelines_dagster.phantom.market.behaviour import AGENT, HUMAN, Bank
from pipelines_dagster.phantom.market.config import MarketConfig, Valuation
from pipelines_dagster.phantom.market.mixture import curves, expected

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
THIRDS = 3
_QUERIES = np.arange(1, 101)
_CUT = 0.430727  # quantile 2/3 of the standard normal law
_MEANS = np.array([-1.0, 0.0, 1.0]) * 3 * np.exp(-(_CUT**2) / 2) / np.sqrt(2 * np.pi)
"""Mean of a standard normal value in its lower, middle, upper third."""


@dataclass(frozen=True)
class Game:
    """One game.

    Attributes:
        alpha: share of visitors who are agents.
        effort: what one query costs an agent, in its utility's unit (currency squared).
        sees_agent: the platform prices by f(tau) past one half too: 6 cells, not 3.
        tie: correlation of a person's interest and valuation.

    Raises:
        SkynetError: `bad_game`.
    """

    config: MarketConfig
    bank: Bank
    alpha: float
    effort: float
    sees_agent: bool = False
    tie: float = 0.6

    def __post_init__(self) -> None:
        if not (0 <= self.alpha <= 1 and 0 <= self.effort < np.inf and 0 <= self.tie < 1):
            raise invalid("bad_game", "A game needs shares in [0, 1] and an effort from 0.")

    @cached_property
    def prices(self) -> F64:
        """What an action may post: multipliers x the best single price for people."""
        base = curves(self.config, 0.0, 2801).best
        return np.asarray(self.config.multipliers) * base

    @cached_property
    def cells(self) -> I64:
        """Cell of every session in the bank [2, bank]."""
        edges = np.quantile(self.bank.weight[HUMAN], [1 / 3, 2 / 3])
        third = np.searchsorted(edges, self.bank.weight, side="left")
        flagged = self.bank.agent > 0.5
        return third + THIRDS * flagged if self.sees_agent else third

    @property
    def count(self) -> int:
        return THIRDS * (2 if self.sees_agent else 1)

    @cached_property
    def frequency(self) -> F64:
        """Law of the cells by class [2, cells]."""
        counted = [np.bincount(row, minlength=self.count) for row in self.cells]
        return np.stack(counted) / self.cells.shape[1]

    def person(self, cell: int) -> Valuation:
        """Valuations of people in a cell: a normal law of the right mean and spread."""
        law, third = self.config.human, cell % THIRDS
        inner = 1 - self.tie**2 + self.tie**2 * _VARIANCES[third]
        return Valuation(law.mean + law.spread * self.tie * float(_MEANS[third]),
                         law.spread * float(np.sqrt(inner)))  # fmt: skip

    @cached_property
    def from_people(self) -> F64:
        """Revenue of one person by cell and action [cells, actions]."""
        noise = self.config.noise
        return np.stack(
            [self.prices * expected(self.person(cell), self.prices, noise)
             for cell in range(self.count)]
        )  # fmt: skip

    @cached_property
    def from_agent(self) -> F64:
        """Revenue of one agent that pays an action's price [actions]."""
        return self.prices * expected(self.config.agent, self.prices, self.config.noise)

    @cached_property
    def surplus(self) -> F64:
        """An agent's E[d^2] / 2 at an action's price [actions]."""
        law = self.config.agent
        spread = float(np.hypot(law.spread, self.config.noise))
        z = (law.mean - self.prices) / spread
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        half: F64 = spread**2 * ((1 + z**2) * ndtr(z) + z * density) / 2
        return half

    def least(self, posted: I64, queries: int | I64) -> F64:
        """Law of the least action that an agent finds in N independent sessions, [..., actions]."""
        cells = np.bincount(posted, self.frequency[AGENT], minlength=len(self.prices))
        above = np.zeros(len(cells) + 1)
        above[:-1] = np.minimum(np.cumsum(cells[::-1])[::-1], 1.0)
        powers: F64 = above ** np.asarray(queries)[..., None]
        return powers[..., :-1] - powers[..., 1:]

    def reconnaissance(self, posted: I64) -> int:
        """The agents' best answer: how many sessions to open."""
        gains = self.least(posted, _QUERIES) @ self.surplus - self.effort * _QUERIES
        return int(_QUERIES[np.argmax(gains)])

    def revenue(self, posted: I64, queries: int) -> float:
        """Of one visitor, when agents open that many sessions."""
        people = self.frequency[HUMAN] @ self.from_people[np.arange(self.count), posted]
        agent = self.least(posted, queries) @ self.from_agent
        return float((1 - self.alpha) * people + self.alpha * agent)

    def coi(self, posted: I64) -> float:
        """COI level among people: mean price less the least price posted to anybody."""
        mean = self.frequency[HUMAN] @ self.prices[posted]
        return float(mean - self.prices[posted].min())

    def pricing(self, queries: int | None, start: I64 | None = None) -> I64:
        """The platform's best prices against agents who open `queries` sessions; None: who will
        answer best (commitment). Three cells: every pricing is tried. Six: cell after cell from
        `start` until no cell gains, a local optimum."""

        def value(posted: I64) -> float:
            return self.revenue(posted, queries or self.reconnaissance(posted))

        actions = range(len(self.prices))
        if not self.sees_agent:
            all_ = (np.array(each) for each in product(actions, repeat=self.count))
            return max(all_, key=value)
        best = np.full(self.count, self.config.neutral) if start is None else start.copy()
        top = value(best)
        while True:
            before = top
            for cell, action in product(range(self.count), actions):
                tried = best.copy()
                tried[cell] = action
                if (worth := value(tried)) > top + 1e-12:
                    best, top = tried, worth
            if top <= before:
                return best


_SQUARES = np.array([1 + _CUT * np.exp(-(_CUT**2) / 2) / np.sqrt(2 * np.pi) * 3, 0.0, 0.0])
_SQUARES[1], _SQUARES[2] = 3 - 2 * _SQUARES[0], _SQUARES[0]
_VARIANCES = _SQUARES - _MEANS**2
"""Variance of a standard normal value within its third."""
