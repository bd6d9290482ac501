# SPDX-License-Identifier: Apache-2.0
"""What a market is made of, checked once.

Published (PHANTOM's model, "Environment defaults" and "Reward"): everything down to `info_value`,
and that UX and supra-competitive terms exist. The published page gives no numbers for the fields
under "chosen"; each says here why it is what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import erf, exp, isfinite, pi, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bls.contracts import MULTIPLIERS
from bls.errors import SkynetError, invalid

Normalise = Literal["session", "volume"]
Information = Literal["constant", "premium"]
Moves = Literal["base", "last"]


@dataclass(frozen=True, slots=True)
class Valuation:
    """The normal law of what a visitor of one class would pay, in currency units."""

    mean: float
    spread: float


@dataclass(frozen=True)
class MarketConfig:
    """One market. Prices and values are in currency units, not micro-units: nothing is paid here.

    Published defaults:
        products: items of the catalogue.
        sessions: visits a step.
        low, high: no posted price leaves them.
        multipliers: what an action does to a base price, in the action's order.
        steps: longest episode.
        margin_floor, patience: the episode ends after `patience` steps in a row under the floor.
        alpha: share of agents among the visitors.
        lambda_coi: weight of the leaked information in the reward.
        robust_radius: the robust objective allows `|alpha - alpha0|` up to it.
        robust_points: points of the grid over that interval.
        info_value: what one session's information is worth.
        human, agent: valuations by class.
        upward: what an upward price move weighs in UX beyond its size.

    Chosen:
        moves: what an action multiplies. `base`: the item's base price, as the served policy does
            (`bls.contracts.MULTIPLIERS`); `last`: the price of the step before, so that prices can
            reach all of [low, high]. The published figures speak for `last` (see `slope`).
        noise: spread of `noise` in `d(p) = max(0, v - p + noise)`, drawn per session and item. At 1
            the best prices earn what the published line says (see `slope`).
        normalise: how d(p) becomes units sold. `session`: each visit splits one unit over the
            catalogue in proportion to d (none if every d is 0), which gives the order of the
            published revenues (100 steps x 100 sessions x a price of about 30); `volume`: d over
            the human mean valuation, so that dearer always sells less.
        cost: unit cost over base price, or over `low` where moves is `last`. 0.78 leaves a margin
            of 2.5 % at multiplier 0.8 and 22 % at 1: the margin floor ends an episode of lasting
            fire sale, or one that sells nothing, and no other.
        eta_ux, eta_supra: weights of the two penalties, as a share of `scale`.
        anchor: multiple of the base price above which a price counts as supra-competitive.
        information: what `info_value` multiplies. `constant`: nothing, as published; `premium`: the
            COI level of the posted prices, so that what leaks is what could have been charged.
        visits: events of a session, mean by class (human, agent); Poisson, at least 2.
        temperature: T of `f = sigmoid(g / T)`.
        bank: sessions pre-sampled per class from its kernel; a step draws from them.

    Raises:
        SkynetError: `bad_market`, naming the field.
    """

    products: int = 10
    sessions: int = 100
    low: float = 10.0
    high: float = 150.0
    multipliers: tuple[float, ...] = MULTIPLIERS
    steps: int = 100
    margin_floor: float = 0.05
    patience: int = 5
    alpha: float = 0.3
    lambda_coi: float = 0.2
    robust_radius: float = 0.15
    robust_points: int = 5
    info_value: float = 1.0
    human: Valuation = field(default=Valuation(50.0, 10.0))
    agent: Valuation = field(default=Valuation(45.0, 15.0))
    upward: float = 0.5

    moves: Moves = "base"
    noise: float = 1.0
    normalise: Normalise = "session"
    cost: float = 0.78
    eta_ux: float = 0.1
    eta_supra: float = 0.1
    anchor: float = 1.1
    information: Information = "constant"
    visits: tuple[float, float] = (14.0, 18.0)
    temperature: float = 1.0
    bank: int = 2048

    def __post_init__(self) -> None:
        for name in ("products", "sessions", "steps", "patience", "robust_points", "bank"):
            value = getattr(self, name)
            _check(isinstance(value, int) and value >= 1, name, "an integer from 1 up")
        _check(self.products <= 1_000_000, "products", "at most a million")
        _check(0 < self.low < self.high < 1e9, "low", "0 < low < high < 1e9")
        _check(
            len(self.multipliers) > 1
            and all(isfinite(each) and each > 0 for each in self.multipliers)
            and list(self.multipliers) == sorted(set(self.multipliers)),
            "multipliers",
            "two or more positive numbers, rising",
        )
        for name in ("alpha", "robust_radius", "margin_floor"):
            _check(0 <= getattr(self, name) <= 1, name, "in [0, 1]")
        for name in ("lambda_coi", "info_value", "upward", "noise", "eta_ux", "eta_supra"):
            _check(0 <= getattr(self, name) < 1e6, name, "0 or more")
        for name in ("human", "agent"):
            law = getattr(self, name)
            _check(isfinite(law.mean) and 0 <= law.spread < 1e6, name, "a normal law")
        _check(self.human.mean > 0, "human", "a positive mean")
        _check(0 <= self.cost < 1, "cost", "in [0, 1)")
        _check(0 < self.anchor < 1e3, "anchor", "positive")
        _check(0 < self.temperature < 1e3, "temperature", "positive")
        _check(all(2 <= each <= 1000 for each in self.visits), "visits", "2 to 1000 events")
        _check(self.moves in ("base", "last"), "moves", "base or last")
        _check(self.normalise in ("session", "volume"), "normalise", "session or volume")
        _check(self.information in ("constant", "premium"), "information", "constant or premium")

    @cached_property
    def base(self) -> NDArray[np.float64]:
        """Base prices [products]: the midpoints of equal parts of [low, high] (chosen: the
        published page gives the range alone)."""
        parts = (np.arange(self.products) + 0.5) / self.products
        return np.asarray(self.low + (self.high - self.low) * parts)

    @cached_property
    def ladder(self) -> NDArray[np.float64]:
        """Prices an action can post from base [multipliers, products]: cut to [low, high]."""
        posted = np.asarray(self.multipliers)[:, None] * self.base
        return np.clip(posted, self.low, self.high)

    @cached_property
    def lowest(self) -> NDArray[np.float64]:
        """The least price that can be posted [products]: p_min of the COI."""
        return self.ladder[0] if self.moves == "base" else np.full(self.products, self.low)

    @cached_property
    def highest(self) -> NDArray[np.float64]:
        """The greatest price that can be posted [products]."""
        return self.ladder[-1] if self.moves == "base" else np.full(self.products, self.high)

    @cached_property
    def unit_cost(self) -> NDArray[np.float64]:
        """What a unit costs the platform [products]."""
        return self.cost * (
            self.base if self.moves == "base" else np.full_like(self.base, self.low)
        )

    @property
    def neutral(self) -> int:
        """The action nearest to the base price."""
        return int(np.argmin(np.abs(np.asarray(self.multipliers) - 1)))

    @property
    def scale(self) -> float:
        """What a step could earn at most, roughly: the unit of the UX and supra penalties."""
        return self.sessions * self.human.mean

    @property
    def w1_radius(self) -> float:
        """Radius, in currency units, of the W1 ball that holds every mixture of the alpha grid.

        Moving `eps` of the mixture from H to A moves its law by `eps W1(H, A)`; for two normals
        `W1 = E |m + s Z|`, m and s the differences of means and spreads.
        """
        mean = abs(self.human.mean - self.agent.mean)
        spread = abs(self.human.spread - self.agent.spread)
        if not spread:
            return self.robust_radius * mean
        ratio = mean / spread
        folded = spread * sqrt(2 / pi) * exp(-(ratio**2) / 2) + mean * erf(ratio / sqrt(2))
        return self.robust_radius * folded


def _check(good: bool, name: str, wanted: str) -> None:
    if not good:
        raise bad_market(f"{name} must be {wanted}", name)


def bad_market(why: str, param: str | None = None) -> SkynetError:
    """A market that cannot be."""
    return invalid("bad_market", f"Not a market: {why}.", param)
