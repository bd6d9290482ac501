# SPDX-License-Identifier: Apache-2.0
"""What every pricing policy is: rows of `PriceState` in, the index of a price multiplier out.

Items are exchangeable: a policy sees one item's row at a time and never its number, so the same
policy prices three products or a thousand (`docs/phantom_bench.md`, "Items").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from bls.contracts import MULTIPLIERS, PriceState
from bls.errors import SkynetError, invalid

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

STATE = len(PriceState)
LEVELS = np.array(MULTIPLIERS)
BASE = MULTIPLIERS.index(1.0)
"""The level that leaves the base price as it is."""

Tier = Literal["static", "surge", "linear", "qtable", "ppo", "a2c", "dqn"]
TIERS: tuple[Tier, ...] = get_args(Tier)
FIXED: tuple[Tier, ...] = ("static", "surge")
"""Tiers that learn nothing: robust or not, they are the same."""

Robust = Literal["none", "grid", "w1", "conditional"]
ROBUST: tuple[Robust, ...] = get_args(Robust)
"""How a policy is trained: on the believed share; on the worst of a grid around it; on the worst
law of a Wasserstein ball; on every share, seeing `PriceState.AGENT`, which all others do not."""


class Policy(Protocol):
    """Deterministic once trained."""

    def act(self, observation: F32) -> I64:
        """int64[n, products] indices into `MULTIPLIERS`, of f32[n, products * STATE]."""
        ...


@dataclass(frozen=True)
class Origin:
    """What a policy is and how it was made; goes into its `policy.json`.

    Attributes:
        timesteps: market steps it learned from.
    """

    tier: Tier
    robust: Robust
    seed: int
    timesteps: int

    def __post_init__(self) -> None:
        if self.tier not in TIERS or self.robust not in ROBUST:
            raise invalid("bad_policy", "There is no such tier or way to be robust.")


def rows(observation: F32) -> F32:
    """f32[n * products, STATE] of f32[n, products * STATE].

    Raises:
        SkynetError: `bad_observation` when the width is no multiple of `STATE`.
    """
    if observation.ndim != 2 or observation.shape[1] % STATE:
        raise SkynetError("bad_observation", f"expected [n, products x {STATE}]", 400)
    return observation.reshape(-1, STATE)


def together(levels: I64, observation: F32) -> I64:
    """Levels of `rows(observation)` as int64[n, products]."""
    return levels.reshape(len(observation), -1)
