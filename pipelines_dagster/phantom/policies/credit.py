# SPDX-License-Identifier: Apache-2.0
"""Which item earned the market's reward: an additive model of all items' choices.

A market's reward is regressed, over all steps so far, on the sum over its items of a table of
(demand bin, level), the same times the agent probability, and the volatility term. Item i is then
given `reward - sum over the others of what the model says of their choices`, less what the model
says of i's state over all levels. Items choose independently given the observation, so what is
taken away does not depend on i's choice: the gradient stays that of the market's reward (an
action-independent baseline, Weaver & Tao 2001), and most of the noise that the other items'
exploration makes is gone. Where the model is wrong, the residual brings the truth.
"""

from __future__ import annotations

import numpy as np

from bls.contracts import PriceState
from pipelines_dagster.phantom.policies.policy import F32, F64, I64, LEVELS

EDGES = (0.03, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.2, 3.2, 4.5, 6.0)
"""Of demand, in shares of the average item."""
RIDGE = 0.1
_TABLE = (len(EDGES) + 1) * len(LEVELS)
_WIDTH = 2 * _TABLE + 1
_EARLY, _OFTEN, _SELDOM = 40, 4, 20
"""Solved every `_OFTEN` steps until step `_EARLY`, then every `_SELDOM`."""


class Credit:
    """Learns while it judges.

    Args:
        products: items of a market; rows come market after market.
        upward: `MarketConfig.upward`.
    """

    def __init__(self, products: int, upward: float) -> None:
        self._products, self._upward = products, upward
        self._inner: F64 = RIDGE * np.eye(_WIDTH)
        self._outer: F64 = np.zeros(_WIDTH)
        self._effect: F64 = np.zeros(_WIDTH)
        self._usual: F64 = np.zeros(_WIDTH - 1)
        self._steps = 0
        self._designs: list[F64] = []
        self._rewards: list[F64] = []

    def share(self, state: F32, levels: I64, reward: F64) -> F64:
        """f64[rows]: what each item is given of `reward` f64[markets].

        Args:
            state: f32[rows, STATE] that the levels int64[rows] were chosen at.
        """
        place, agent, moved = self._features(state, levels)
        own = self._effect[place] + agent * self._effect[_TABLE + place]
        own += moved * self._effect[-1]
        rest = reward - own.reshape(-1, self._products).sum(axis=1)
        usual = self._usual[place] + agent * self._usual[_TABLE + place]
        self._add(place, agent, moved, reward)
        given: F64 = own - usual + np.repeat(rest, self._products)
        return given

    def _features(self, state: F32, levels: I64) -> tuple[I64, F64, F64]:
        place = np.digitize(state[:, PriceState.DEMAND], EDGES) * len(LEVELS) + levels
        before = np.maximum(state[:, PriceState.PRICE], 1e-6).astype(np.float64)
        change = LEVELS[levels] / before - 1
        moved = np.abs(change) + self._upward * np.maximum(change, 0)
        return place, state[:, PriceState.AGENT].astype(np.float64), moved

    def _add(self, place: I64, agent: F64, moved: F64, reward: F64) -> None:
        count = len(reward)
        cell = np.repeat(np.arange(count), self._products) * _TABLE + place
        size = count * _TABLE
        times = np.bincount(cell, minlength=size).reshape(count, _TABLE)
        shares = np.bincount(cell, agent, size).reshape(count, _TABLE)
        moves = moved.reshape(count, -1).sum(axis=1, keepdims=True)
        self._designs.append(np.hstack([times, shares, moves]))
        self._rewards.append(reward)
        self._steps += 1
        if self._steps % (_OFTEN if self._steps < _EARLY else _SELDOM) == 0:
            self._solve()

    def _solve(self) -> None:
        design, reward = np.concatenate(self._designs), np.concatenate(self._rewards)
        self._designs, self._rewards = [], []
        self._inner += design.T @ design
        self._outer += design.T @ reward
        self._effect = np.linalg.solve(self._inner, self._outer)
        table = self._effect[:-1].reshape(-1, len(LEVELS))
        self._usual = np.repeat(table.mean(axis=1), len(LEVELS))
