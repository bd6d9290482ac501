# SPDX-License-Identifier: Apache-2.0
"""Mixture demand `Q(p) = (1 - alpha) E_H[d(p)] + alpha E_A[d(p)]`, in closed form.

Source: PHANTOM's model, "Mixture demand"; `d(p) = max(0, v - p + noise)`, v normal per class. With
`v + noise` normal of mean m and spread s, and z = (m - p) / s:

    E d(p) = s (phi(z) + z Phi(z)),    d/dp E d(p) = -Phi(z).

Q's own noise has mean 0 and is left out; the market draws it. The curves are those of one item and
one visitor before d is normalised over the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from pipelines_dagster.phantom.market.config import MarketConfig, Valuation

F64 = NDArray[np.float64]


def expected(law: Valuation, prices: ArrayLike, noise: float = 0.0) -> F64:
    """E d(p) of one class at prices f64[...]."""
    spread, asked = float(np.hypot(law.spread, noise)), np.asarray(prices, np.float64)
    if not spread:
        return np.maximum(0.0, law.mean - asked)
    z = (law.mean - asked) / spread
    mean: F64 = spread * (np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) + z * ndtr(z))
    return mean


def slope(law: Valuation, prices: ArrayLike, noise: float = 0.0) -> F64:
    """The derivative of `expected` in the price: minus the share that would pay more."""
    spread, asked = float(np.hypot(law.spread, noise)), np.asarray(prices, np.float64)
    if not spread:
        return -(asked < law.mean).astype(np.float64)
    steep: F64 = -ndtr((law.mean - asked) / spread)
    return steep


@dataclass(frozen=True)
class Curves:
    """Of one item at prices [k]: demand, revenue and elasticity (dlnQ / dlnp)."""

    prices: F64
    demand: F64
    revenue: F64
    elasticity: F64

    @property
    def best(self) -> float:
        """The price of the greatest revenue among `prices`."""
        return float(self.prices[int(self.revenue.argmax())])


def demand(config: MarketConfig, prices: ArrayLike, alpha: float) -> F64:
    """Q(p) at prices f64[...]."""
    people = expected(config.human, prices, config.noise)
    agents = expected(config.agent, prices, config.noise)
    mixed: F64 = (1 - alpha) * people + alpha * agents
    return mixed


def curves(config: MarketConfig, alpha: float, points: int = 281) -> Curves:
    """Demand curves over the configured price range."""
    prices = np.linspace(config.low, config.high, points)
    wanted = demand(config, prices, alpha)
    steep = (1 - alpha) * slope(config.human, prices, config.noise)
    steep = steep + alpha * slope(config.agent, prices, config.noise)
    return Curves(prices, wanted, prices * wanted, prices * steep / np.maximum(wanted, 1e-300))
