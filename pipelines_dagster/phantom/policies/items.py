# SPDX-License-Identifier: Apache-2.0
"""The market seen by the item: every (market, item) is a row that chooses one of 9 levels.

Learning an item at a time is what makes policies independent of the catalogue: n markets of k
products are n k rows of one policy with shared weights, and a discrete action suits DQN too. What
one item sells depends on the others' prices, so an item's reward is the market's, less what the
other items' choices explain of it (`credit`).

The reward is told **against a twin**: a market of the same seed, whose visitors are therefore the
same, that posts base prices. What the visitors happen to be cancels, nothing else changes: the
twin's reward does not depend on what the policy does.

Every few steps all items are shaken to random levels, a step the learner does not see. Without it a
policy is caught in its own prices: once all are low it never meets the state it should leave from.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines_dagster.phantom.market import reward
from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.market.env import MarketVecEnv
from pipelines_dagster.phantom.policies.credit import Credit
from pipelines_dagster.phantom.policies.policy import F32, F64, I64, STATE, Robust

SHAKE = 5
"""Steps between shakes."""
UNIT = 0.01
"""A reward of 1 is this share of `MarketConfig.scale`."""
Flags = NDArray[np.bool_]


class ItemMarket:
    """`count` markets as rows [count * products].

    Args:
        robust: `conditional` trains on shares spread over [0, 1], one a market; all others on
            `config.alpha`.
        seed: of visitors and shares.
    """

    def __init__(self, config: MarketConfig, count: int, robust: Robust, seed: int) -> None:
        self.config, self.count, self.rows = config, count, count * config.products
        self.gained: F64 = np.zeros(count)
        shares: float | F64 = config.alpha
        if robust == "conditional":
            rng = np.random.default_rng((seed, 0xA1))
            shares = (rng.permutation(count) + rng.random(count)) / count
        kind: reward.Robust = "none" if robust == "conditional" else robust
        self._live, self._twin = (
            MarketVecEnv(config, count, alpha=shares, robust=kind, seed=seed) for _ in range(2)
        )
        self._base = np.full((count, config.products), config.neutral)
        self._rng = np.random.default_rng((seed, 3))
        self._steps = 0
        self._credit = Credit(config.products, config.upward)
        self._state: F32 = np.zeros((self.rows, STATE), np.float32)

    def reset(self) -> F32:
        """f32[rows, STATE]."""
        self._twin.reset()
        self._state = self._split(self._live.reset()[0])
        return self._state

    def warm(self, steps: int) -> F32:
        """Steps at random levels, from which the credit is learned before a policy is; a reset."""
        self.reset()
        for _ in range(steps):
            self._play(self._any())
        return self.reset()

    def step(self, levels: I64) -> tuple[F32, F64, Flags, Flags, F32]:
        """Rows of (state, reward, terminated, truncated, state before any reset).

        `gained` has the market's reward after it.
        """
        shared, terminated, truncated, last = self._play(levels)
        self._steps += 1
        if self._steps % SHAKE == 0:
            gained = self.gained
            self._play(self._any())
            self.gained = gained
        return self._state, shared, terminated, truncated, last

    def _play(self, levels: I64) -> tuple[F64, Flags, Flags, F32]:
        obs, earned, terminated, truncated, infos = self._live.step(
            levels.reshape(self.count, self.config.products)
        )
        base = self._twin.step(self._base)[1]
        self.gained = (earned - base) / (UNIT * self.config.scale)
        shared = self._credit.share(self._state, levels, self.gained)
        self._state = self._split(obs)
        last = self._split(infos.get("final_obs", obs))
        return shared, self._spread(terminated), self._spread(truncated), last

    def _any(self) -> I64:
        return self._rng.integers(0, len(self.config.multipliers), self.rows)

    def _split(self, obs: F32) -> F32:
        return obs.reshape(self.rows, STATE)

    def _spread(self, value: NDArray[Any]) -> Any:
        return np.repeat(value, self.config.products)
