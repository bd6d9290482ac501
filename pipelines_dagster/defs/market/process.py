# SPDX-License-Identifier: Apache-2.0
"""The bidders' process, a token at a time for n conversations at once (docs/market.md, 2).

    log b_j(t) = level_j + market(t) + m(t) step + r_j(t) own_step_j + a_j(t) + attack_j(t)
    a_j(t) = ar_j a_j(t-1) + sd_j(m(t)) noise        market(t) = slope t + swing sin + walk

m and r_j are two-state Markov chains (0 calm, 1 hot), for the market and for each seat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines_dagster.defs.market.params import (
    BLUFF,
    DRIFT,
    NONE,
    PUMP,
    SEATS,
    SILENCE,
    SPIKE,
)
from pipelines_dagster.defs.market.traits import F64, I64, Bool, Traits

COLLAPSE = 6
"""Tokens, on average, for which a pump's seats bid `COLLAPSED` times their level after the ramp."""
COLLAPSED = 0.4
COLLAPSING = 1_000
"""Ages from here on are a pump's collapse."""


@dataclass(frozen=True)
class State:
    """Everything the next token depends on.

    Attributes:
        t: the token these bids are for; -1 the opening.
        hot: [n] regime of the market; own: [n, SEATS] of each seat.
        memory: [n, SEATS] a_j; common: [n] the market's random walk.
        age: [n] tokens into the attack, -1 outside of one, from `COLLAPSING` on after its peak.
    """

    t: int
    hot: Bool
    own: Bool
    memory: F64
    common: F64
    age: I64

    def rows(self, rows: slice) -> State:
        """The same of some conversations."""
        return State(
            self.t,
            self.hot[rows],
            self.own[rows],
            self.memory[rows],
            self.common[rows],
            self.age[rows],
        )


def opening(traits: Traits, rng: np.random.Generator) -> State:
    """The state at t = -1, from the stationary law; no attack is under way."""
    n = len(traits)
    spread = traits.innovation / np.sqrt(1 - traits.ar**2)
    return State(
        t=-1,
        hot=rng.random(n) < 0.5,
        own=rng.random((n, SEATS)) < 0.5,
        memory=rng.standard_normal((n, SEATS)) * spread,
        common=np.zeros(n),
        age=np.full(n, -1),
    )


def advance(traits: Traits, state: State, rng: np.random.Generator) -> State:
    """The state of the next token."""
    n = len(traits)
    hot = state.hot ^ (rng.random(n) >= traits.stay_market)
    own = state.own ^ (rng.random((n, SEATS)) >= traits.stay_own[:, None])
    noise = rng.standard_normal((n, SEATS)) * innovation(traits, hot)
    changes = rng.random(n) < event_chance(traits, state)
    return State(
        t=state.t + 1,
        hot=hot,
        own=own,
        memory=traits.ar * state.memory + noise,
        common=state.common + rng.standard_normal(n) * traits.walk,
        age=next_age(traits, state.age, changes),
    )


def log_bids(traits: Traits, state: State) -> F64:
    """[n, SEATS] log bids of the token; empty seats hold the bid they would make."""
    market = trend(traits, state.t) + state.common + state.hot * traits.market_step
    attack = attack_offset(traits, state.age)[:, None] * traits.attackers
    seat = traits.level + state.own * traits.own_step + state.memory
    result: F64 = market[:, None] + seat + attack
    return result


def others(bids: NDArray[Any], seated: Bool) -> F64:
    """W_-i of every seat: the sum of the other seats' bids. `bids` are not logs."""
    taken = np.where(seated, bids, 0.0)
    result = np.zeros_like(taken)  # sums from both ends: no digits cancel beside a huge bid
    result[..., 1:] = np.cumsum(taken, axis=-1)[..., :-1]
    result[..., :-1] += np.cumsum(taken[..., ::-1], axis=-1)[..., -2::-1]
    return result


def trend(traits: Traits, t: int) -> F64:
    """[n] the market's known part: drift and swing."""
    angle = 2 * np.pi * t / traits.period + traits.phase
    result: F64 = traits.slope * t + traits.swing * np.sin(angle)
    return result


def innovation(traits: Traits, hot: Bool) -> F64:
    """[n, SEATS] standard deviation of a seat's innovation."""
    result: F64 = traits.innovation * np.where(hot, traits.hot_scale, 1.0)[:, None]
    return result


def event_chance(traits: Traits, state: State) -> F64:
    """[n] chance that the attack's phase changes with the next token: it begins, peaks or ends."""
    begins = np.where(traits.kind == NONE, 0.0, traits.hazard)
    lasts = np.where(state.age >= COLLAPSING, COLLAPSE, traits.duration)
    return np.where(state.age < 0, begins, 1 / lasts)


def next_age(traits: Traits, age: I64, changes: Bool) -> I64:
    """[n] the attack's age at the next token, given that its phase changes or not."""
    ramp_over = (traits.kind == PUMP) & (age < COLLAPSING)
    after = np.where(ramp_over, COLLAPSING, -1)
    changed = np.where(age < 0, 0, after)
    same = np.where(age < 0, -1, age + 1)
    result: I64 = np.where(changes, changed, same)
    return result


def attack_offset(traits: Traits, age: I64) -> F64:
    """[n] what an attacking seat adds to its log bid.

    Spike, bluff, silence: the size, while it lasts. Drift: the size per token since it began.
    Pump: a ramp that reaches the size at its average duration, then a collapse below the level.
    """
    steps = age + 1
    ramp = np.minimum(traits.size, traits.size * steps / traits.duration)
    flat = np.isin(traits.kind, (SPIKE, BLUFF, SILENCE))
    cases = [age < 0, flat, traits.kind == DRIFT, age >= COLLAPSING, traits.kind == PUMP]
    values = [np.zeros(len(age)), traits.size, traits.size * steps, np.log(COLLAPSED), ramp]
    return np.select(cases, values, 0.0)
