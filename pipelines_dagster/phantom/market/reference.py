# SPDX-License-Identifier: Apache-2.0
"""The slow, obvious twin of `MarketVecEnv`: one visitor, one item at a time, in plain Python.

It is the oracle of the tests and the peer of the bench. It draws its random numbers in the order of
the vectorised market and shares with it the configuration, the bank of sessions and nothing else:
even the W1 worst case is written out.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log1p
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pipelines_dagster.phantom.market.behaviour import AGENT, HUMAN, Bank
from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.market.env import MarketVecEnv
from pipelines_dagster.phantom.market.reward import Robust


@dataclass
class _State:
    """Of one market between steps."""

    prices: list[float]
    poor: int = 0
    steps: int = 0


@dataclass
class _Visitor:
    """What one visitor brings; `noise` by item."""

    share: float
    value: float
    pick: int
    noise: list[float]


@dataclass
class _Step:
    """Sums over visitors; lists by item."""

    units: list[float]
    want: list[float]
    interest: list[float]
    shown: list[float]
    agent: float = 0.0
    events: float = 0.0


class ScalarMarket:
    """`count` markets of a fixed alpha, stepped one after the other. Episodes are not restarted."""

    def __init__(
        self, config: MarketConfig, count: int, alpha: float, robust: Robust, seed: int
    ) -> None:
        self.config, self.alpha, self.robust = config, alpha, robust
        self._bank: Bank = MarketVecEnv(config, 1).bank
        visitors = np.random.SeedSequence(seed).spawn(2)[0]
        self._rng = np.random.Generator(np.random.SFC64(visitors))
        self._states = [_State(config.base.tolist()) for _ in range(count)]
        self._bases: list[float] = config.base.tolist()

    def step(self, actions: ArrayLike) -> list[dict[str, Any]]:
        """What each market tells: the infos of `MarketVecEnv` and `obs`, `reward`, `terminated`."""
        count, sessions = len(self._states), self.config.sessions
        shape = (count, sessions)
        share = (self._rng.integers(0, 1 << 24, shape, np.uint32) / 2.0**24).tolist()
        value = self._rng.standard_normal(shape, np.float32).tolist()
        pick = self._rng.integers(0, self.config.bank, shape).tolist()
        told = []
        for one, chosen in enumerate(np.asarray(actions).tolist()):
            visitors = []
            for place in range(sessions):
                noise = self._rng.standard_normal(self.config.products, np.float32).tolist()
                visitors.append(
                    _Visitor(share[one][place], value[one][place], pick[one][place], noise)
                )
            told.append(self._market(self._states[one], chosen, visitors))
        return told

    def _market(self, state: _State, chosen: list[int], visitors: list[_Visitor]) -> dict[str, Any]:
        config = self.config
        prices = [
            min(max(start * config.multipliers[action], config.low), config.high)
            for start, action in zip(self._starts(state), chosen, strict=True)
        ]
        empty = [0.0] * config.products
        sums = _Step(empty[:], empty[:], empty[:], empty[:])
        for visitor in visitors:
            self._visit(visitor, prices, sums)
        told = self._worth(state, prices, sums, visitors)
        state.poor = state.poor + 1 if told["margin"] < config.margin_floor else 0
        state.steps += 1
        told["terminated"] = state.poor >= config.patience
        told["truncated"] = state.steps >= config.steps and not told["terminated"]
        told["obs"] = self._seen(prices, sums)
        state.prices = prices
        return told

    def _starts(self, state: _State) -> list[float]:
        return self._bases if self.config.moves == "base" else state.prices

    def _ends(self, base: float) -> tuple[float, float]:
        """The least and greatest price that can be posted."""
        config = self.config
        if config.moves == "last":
            return config.low, config.high
        low, high = base * config.multipliers[0], base * config.multipliers[-1]
        return max(low, config.low), min(high, config.high)

    def _cost(self, base: float) -> float:
        return self.config.cost * (base if self.config.moves == "base" else self.config.low)

    def _wants(self, visitor: _Visitor, actor: int, prices: list[float]) -> list[float]:
        law = self.config.agent if actor == AGENT else self.config.human
        value = law.mean + law.spread * visitor.value
        return [
            max(0.0, value - price + self.config.noise * noise)
            for price, noise in zip(prices, visitor.noise, strict=True)
        ]

    def _units(self, wants: list[float]) -> list[float]:
        if self.config.normalise == "volume":
            return [want / self.config.human.mean for want in wants]
        total = sum(wants)
        return [want / total if total > 0 else 0.0 for want in wants]

    def _visit(self, visitor: _Visitor, prices: list[float], sums: _Step) -> None:
        bank, products = self._bank, self.config.products
        actor = AGENT if visitor.share < np.float32(self.alpha) else HUMAN
        wants = self._wants(visitor, actor, prices)
        units, total = self._units(wants), sum(wants)
        for item in range(products):
            part = wants[item] / total if total > 0 else 1 / products
            sums.units[item] += units[item]
            sums.want[item] += wants[item] / self.config.sessions
            sums.interest[item] += float(bank.weight[actor, visitor.pick]) * part
            sums.shown[item] += float(bank.looks[actor, visitor.pick]) * part
        sums.agent += float(bank.agent[actor, visitor.pick])
        sums.events += float(bank.events[actor, visitor.pick])

    def _shares(self) -> list[float]:
        """The alpha grid, written out: evenly spaced, its nearest point moved onto alpha."""
        config, alpha = self.config, self.alpha
        low, high = max(alpha - config.robust_radius, 0), min(alpha + config.robust_radius, 1)
        step = (high - low) / max(config.robust_points - 1, 1)
        grid = [low + step * place for place in range(config.robust_points)]
        grid[min(range(len(grid)), key=lambda place: abs(grid[place] - alpha))] = alpha
        return grid

    def _judged(self, share: float, prices: list[float], visitors: list[_Visitor]) -> list[float]:
        """Revenue and sum of f of the same visitors under another share."""
        revenue = agent = 0.0
        for visitor in visitors:
            actor = AGENT if visitor.share < np.float32(share) else HUMAN
            units = self._units(self._wants(visitor, actor, prices))
            revenue += sum(price * sold for price, sold in zip(prices, units, strict=True))
            agent += float(self._bank.agent[actor, visitor.pick])
        return [revenue, agent]

    def _worth(
        self, state: _State, prices: list[float], sums: _Step, visitors: list[_Visitor]
    ) -> dict[str, Any]:
        config, products = self.config, self.config.products
        revenue = sum(price * sold for price, sold in zip(prices, sums.units, strict=True))
        spent = sum(
            self._cost(base) * sold for base, sold in zip(self._bases, sums.units, strict=True)
        )
        coi = ux = supra = 0.0
        for item, price in enumerate(prices):
            base, before = self._bases[item], state.prices[item]
            change = price / before - 1
            coi += (price - self._ends(base)[0]) / products
            ux += (abs(change) + config.upward * max(0.0, change)) / products
            supra += max(0.0, price / (config.anchor * base) - 1) / products
        each = config.info_value * (coi if config.information == "premium" else 1.0)
        penalty = config.scale * (config.eta_ux * ux + config.eta_supra * supra)
        objective = revenue - config.lambda_coi * each * sums.agent - penalty
        reward = objective
        if self.robust == "grid":
            worths = (self._judged(share, prices, visitors) for share in self._shares())
            reward = min(paid - config.lambda_coi * each * f for paid, f in worths) - penalty
        elif self.robust == "w1":
            plain = sum(price * want for price, want in zip(prices, sums.want, strict=True))
            radius = config.w1_radius
            worst = sum(
                price * max(0.0, want - radius)
                for price, want in zip(prices, sums.want, strict=True)
            )
            reward = objective - revenue * (1 - (worst / plain if plain else 0.0))
        return {
            "revenue": revenue,
            "profit": revenue - spent,
            "margin": (revenue - spent) / revenue if revenue > 0 else 0.0,
            "coi": coi,
            "coi_leak": each * sums.agent,
            "ux": ux,
            "supra": supra,
            "objective": objective,
            "reward": reward,
            "f_mean": sums.agent / config.sessions,
            "demand": sums.units,
            "prices": prices,
        }

    def _seen(self, prices: list[float], sums: _Step) -> list[float]:
        config, row = self.config, []
        total = sum(sums.interest)
        for item, base in enumerate(self._bases):
            low, high = self._ends(base)
            row += [
                sums.interest[item] * config.products / total if total else 1.0,
                prices[item] / base,
                low / base,
                high / base,
                self._cost(base) / base,
                sums.agent / config.sessions,
                log1p(sums.events / config.sessions) / 5,
                log1p(1 + sums.shown[item] / config.sessions) / 5,
            ]
        return row
