# SPDX-License-Identifier: Apache-2.0
"""One step of the market, for many environments at once: who came, what they wanted, what sold.

Published: every visitor is an agent with probability alpha; `d(p) = max(0, v - p + noise)`, v
normal per class, then normalised; acts from the class's kernel; the demand proxy weighs acts by
omega and is normalised to 100. Chosen, where the page is silent: v is one draw a visitor, noise one
a visitor and item; a visitor's acts on items fall on item j with the visitor's normalised demand
(evenly, where every d is 0), and enter the proxy by that expectation.

Robust objectives judge other laws on the **same random numbers**: every visitor has one uniform
draw, and is an agent under share alpha when it is below alpha. So only two outcomes of a visitor
exist, and any number of shares costs two evaluations.

Rows (environment, session) are worked off in blocks of at most `BLOCK` cells, so memory does not
grow with sessions x products. Random numbers come in the order of rows whatever the block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines_dagster.phantom.market.behaviour import AGENT, HUMAN, Bank
from pipelines_dagster.phantom.market.config import MarketConfig

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
BLOCK = 1 << 16
"""Cells (session x item) held at once: 256 KiB of float32 an array, which a core's cache holds."""
_SPAN = np.float32(2.0**-24)


@dataclass(frozen=True)
class Crowd:
    """Random numbers of the visitors of a step [n, sessions], apart from the noise.

    Attributes:
        share: uniform in [0, 1); an agent when below alpha.
        value: standard normal; the valuation is mean + spread x value of the class.
        pick: index into the bank.
    """

    share: F32
    value: F32
    pick: NDArray[np.int64]


@dataclass
class Tally:
    """Sums over a step's visitors; [n, products] unless said otherwise, float64.

    Attributes:
        units: what sold.
        want: mean of d(p), before it is normalised.
        interest: demand proxy before it is normalised to 100.
        shown: looks at an item, which show its price.
        agent: sum of f(tau) [n].
        events: acts [n].
        grid_revenue, grid_agent: revenue and sum of f under each share of the grid [n, k].
    """

    units: F64
    want: F64
    interest: F64
    shown: F64
    agent: F64
    events: F64
    grid_revenue: F64
    grid_agent: F64


def crowd(config: MarketConfig, count: int, rng: np.random.Generator) -> Crowd:
    """Draws the visitors of one step of `count` environments."""
    shape = (count, config.sessions)
    share = rng.integers(0, 1 << 24, shape, np.uint32) * _SPAN
    value = rng.standard_normal(shape, np.float32)
    return Crowd(share, value, rng.integers(0, config.bank, shape))


def blocks(count: int, sessions: int, products: int) -> Iterator[tuple[slice, slice]]:
    """Slices (environments, sessions) in the order of rows, each of at most `BLOCK` cells or one
    session."""
    cells = sessions * products
    if cells <= BLOCK:
        each = BLOCK // cells
        for start in range(0, count, each):
            yield slice(start, min(start + each, count)), slice(0, sessions)
        return
    each = max(1, BLOCK // products)
    for one in range(count):
        for start in range(0, sessions, each):
            yield slice(one, one + 1), slice(start, min(start + each, sessions))


def visit(
    config: MarketConfig,
    bank: Bank,
    prices: F64,
    alpha: F64,
    came: Crowd,
    *,
    rng: np.random.Generator,
    grid: F64 | None = None,
) -> Tally:
    """What the visitors do at `prices` [n, products] under shares `alpha` [n].

    Args:
        rng: gives the noise.
        grid: other shares [n, k] whose revenue and f are wanted too.
    """
    count, products = prices.shape
    tally = _nothing(count, products, 0 if grid is None else grid.shape[1])
    posted, share = prices.astype(np.float32), alpha.astype(np.float32)
    other = None if grid is None else grid.astype(np.float32)
    for rows, part in blocks(count, config.sessions, products):
        some = Crowd(came.share[rows, part], came.value[rows, part], came.pick[rows, part])
        noise = rng.standard_normal((*some.share.shape, products), np.float32)
        block = _Block(config, bank, posted[rows], some, noise)
        block.add(share[rows], tally, rows)
        if other is not None:
            block.judge(other[rows], tally, rows)
    tally.want /= config.sessions
    return tally


@dataclass(frozen=True)
class _Block:
    """Some visitors of some environments: prices [n, products], noise [n, sessions, products]."""

    config: MarketConfig
    bank: Bank
    posted: F32
    some: Crowd
    noise: F32

    def add(self, alpha: F32, tally: Tally, rows: slice) -> None:
        """Adds what they do under shares `alpha` [n] to the environments `rows`."""
        actor = (self.some.share < alpha[:, None]).astype(np.int64)
        wants = self._wants(actor)
        share, total = shares(wants)
        units = share if self.config.normalise == "session" else wants
        scale = 1.0 if self.config.normalise == "session" else self.config.human.mean
        pick = self.some.pick
        told = np.stack([self.bank.weight[actor, pick], self.bank.looks[actor, pick]], axis=1)
        even = (told * (total <= 0)[:, None]).sum(axis=2, keepdims=True) / share.shape[2]
        on_items = told @ share + even
        want = np.einsum("nsm->nm", wants)  # three times as fast as `sum` over short axes
        tally.want[rows] += want
        tally.units[rows] += (want if units is wants else np.einsum("nsm->nm", units)) / scale
        tally.interest[rows] += on_items[:, 0]
        tally.shown[rows] += on_items[:, 1]
        tally.agent[rows] += np.einsum("ns->n", self.bank.agent[actor, pick])
        tally.events[rows] += np.einsum("ns->n", self.bank.events[actor, pick])

    def judge(self, grid: F32, tally: Tally, rows: slice) -> None:
        """Adds revenue and f under every share of the grid [n, k]: each visitor as either class."""
        people, agents = (self._takings(self._wants(np.int64(actor))) for actor in (HUMAN, AGENT))
        agent = self.bank.agent[:, self.some.pick]
        is_agent = self.some.share[:, None, :] < grid[:, :, None]
        paid = np.where(is_agent, agents[:, None], people[:, None])
        score = np.where(is_agent, agent[AGENT][:, None], agent[HUMAN][:, None])
        tally.grid_revenue[rows] += np.einsum("nks->nk", paid)
        tally.grid_agent[rows] += np.einsum("nks->nk", score)

    def _wants(self, actor: NDArray[np.int64] | np.int64) -> F32:
        """`d(p) = max(0, v - p + noise)` [n, sessions, products]."""
        human, agent = self.config.human, self.config.agent
        mean = np.array([human.mean, agent.mean], np.float32)[actor]
        spread = np.array([human.spread, agent.spread], np.float32)[actor]
        value = mean + spread * self.some.value
        wants = self.noise * np.float32(self.config.noise)
        wants += value[:, :, None]
        wants -= self.posted[:, None, :]
        return np.maximum(wants, 0, out=wants)

    def _takings(self, wants: F32) -> F32:
        """What each visitor pays [n, sessions]."""
        paid: F32 = (wants @ self.posted[:, :, None])[:, :, 0]
        if self.config.normalise == "volume":
            over: F32 = np.full(1, self.config.human.mean, np.float32)
        else:
            total = np.einsum("nsm->ns", wants)
            over = np.where(total > 0, total, np.float32(1))
        taken: F32 = paid / over
        return taken


def shares(wants: F32) -> tuple[F32, F32]:
    """Each visitor's demand normalised over the catalogue, zeros where there is none; and its sum
    before that [n, sessions]."""
    total: F32 = np.einsum("nsm->ns", wants)
    return wants / np.where(total > 0, total, np.float32(1))[:, :, None], total


def _nothing(count: int, products: int, points: int) -> Tally:
    shapes = [(count, products)] * 4 + [(count,)] * 2 + [(count, points)] * 2
    return Tally(*(np.zeros(shape) for shape in shapes))
