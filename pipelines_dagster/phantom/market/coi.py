# SPDX-License-Identifier: Apache-2.0
"""Cost of information: what a platform earns above its lowest price, and what queries leave of it.

Source: PHANTOM's model, "Cost of information": `COI = E[P] - p_min`. A buyer who queries N
independent sessions pays the least price seen:

    E[p_(1)] = p_min + integral over [p_min, p_max] of (1 - F(p))^N dp  ->  p_min.

The leak of a session is what it takes of that: `f(tau) x info_value x COI` (the published reward
has `f x info_value`; with the COI as the information's value it is in currency, `premium` in
`MarketConfig`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from bls.errors import SkynetError, invalid

F64 = NDArray[np.float64]
_NODES = 4001
"""Points of Simpson's rule: within 1e-9 of the range for these laws up to N = 10,000."""


class PriceLaw(Protocol):
    """The law of one quoted price, on [lowest, highest]."""

    @property
    def lowest(self) -> float: ...

    @property
    def highest(self) -> float: ...

    def quantile(self, ranks: F64) -> F64:
        """Prices at ranks in [0, 1): how it is sampled."""

    def expected_minimum(self, queries: F64) -> F64:
        """E[p_(1)] of N independent queries, by the erosion law; N may be a fraction."""


class _Smooth(ABC):
    """A law with a survival function that Simpson's rule can integrate."""

    lowest: float
    highest: float

    @abstractmethod
    def survival(self, prices: F64) -> F64:
        """1 - F at prices."""

    def expected_minimum(self, queries: F64) -> F64:
        ranks = np.linspace(0.0, 1.0, _NODES)
        nodes = self.lowest + (self.highest - self.lowest) * ranks**3  # dense where N bites
        weights = np.full(_NODES, 2.0)
        weights[1::2], weights[0], weights[-1] = 4.0, 1.0, 1.0
        left = np.clip(self.survival(nodes), 0.0, 1.0) ** _queries(queries)[..., None]
        weights *= 3 * ranks**2 * (self.highest - self.lowest) * ranks[1] / 3
        area: F64 = left @ weights
        return self.lowest + area


@dataclass(frozen=True)
class Uniform(_Smooth):
    """Even on [lowest, highest]. Raises `bad_law`."""

    lowest: float
    highest: float

    def __post_init__(self) -> None:
        if not -np.inf < self.lowest < self.highest < np.inf:
            raise _bad("bounds that rise")

    def quantile(self, ranks: F64) -> F64:
        return self.lowest + (self.highest - self.lowest) * ranks

    def survival(self, prices: F64) -> F64:
        return (self.highest - prices) / (self.highest - self.lowest)


@dataclass(frozen=True)
class TruncatedNormal(_Smooth):
    """A normal law cut to [lowest, highest]. Raises `bad_law`."""

    mean: float
    spread: float
    lowest: float
    highest: float

    def __post_init__(self) -> None:
        if not (-np.inf < self.lowest < self.highest < np.inf and self.spread > 0):
            raise _bad("bounds that rise and a spread above 0")
        if self._mass < 1e-6:
            raise _bad("bounds that hold some of the normal law")

    @property
    def _ends(self) -> tuple[float, float]:
        low, high = (
            (self.lowest - self.mean) / self.spread,
            (self.highest - self.mean) / self.spread,
        )
        return float(ndtr(low)), float(ndtr(high))

    @property
    def _mass(self) -> float:
        return self._ends[1] - self._ends[0]

    def quantile(self, ranks: F64) -> F64:
        inner = ndtri(self._ends[0] + self._mass * ranks)
        drawn: F64 = np.clip(self.mean + self.spread * inner, self.lowest, self.highest)
        return drawn

    def survival(self, prices: F64) -> F64:
        left: F64 = (self._ends[1] - ndtr((prices - self.mean) / self.spread)) / self._mass
        return left


@dataclass(frozen=True)
class Discrete:
    """Prices f64[k], rising, with weights f64[k] > 0 that sum to 1: what a policy over multipliers
    posts. Raises `bad_law`."""

    prices: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        fair = len(self.prices) == len(self.weights) > 0 and min(self.weights) > 0
        if not (fair and list(self.prices) == sorted(set(self.prices))):
            raise _bad("rising prices with weights above 0")
        if abs(sum(self.weights) - 1) > 1e-9:
            raise _bad("weights that sum to 1")

    @property
    def lowest(self) -> float:
        return self.prices[0]

    @property
    def highest(self) -> float:
        return self.prices[-1]

    @cached_property
    def _cumulative(self) -> F64:
        return np.cumsum(self.weights)

    def quantile(self, ranks: F64) -> F64:
        places = np.searchsorted(self._cumulative[:-1], ranks, side="right")
        return np.asarray(self.prices)[places]

    def expected_minimum(self, queries: F64) -> F64:
        """The integral is a sum of steps: exact."""
        left = np.clip(1.0 - self._cumulative[:-1], 0.0, 1.0)
        powers = left ** _queries(queries)[..., None]
        steps: F64 = powers @ np.diff(self.prices)
        return self.lowest + steps


def law_of(posted: ArrayLike) -> Discrete:
    """The empirical law of prices that were posted. Raises `bad_law` for none."""
    prices, counts = np.unique(np.asarray(posted, np.float64), return_counts=True)
    if not len(prices) or not np.isfinite(prices).all():
        raise _bad("prices")
    weights = counts / counts.sum()
    return Discrete(tuple(prices.tolist()), tuple(weights.tolist()))


def level(law: PriceLaw) -> float:
    """COI of a price law: E[P] - p_min."""
    return float(law.expected_minimum(np.ones(1))[0] - law.lowest)


def left_after(law: PriceLaw, queries: ArrayLike) -> F64:
    """COI that N independent queries leave: E[p_(1)] - p_min [...]."""
    return law.expected_minimum(np.asarray(queries, np.float64)) - law.lowest


def leak(agent: ArrayLike, coi: ArrayLike, info_value: float = 1.0) -> F64:
    """What sessions of probability f(tau) leak of the COI they saw, in currency [...]."""
    return np.asarray(agent, np.float64) * np.asarray(coi, np.float64) * info_value


def _queries(queries: ArrayLike) -> F64:
    asked = np.asarray(queries, np.float64)
    if not np.all(asked >= 1):
        raise invalid("bad_queries", "A buyer queries one session or more.", "queries")
    return asked


def _bad(wanted: str) -> SkynetError:
    return invalid("bad_law", f"A law of prices needs {wanted}.")
