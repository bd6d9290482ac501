# SPDX-License-Identifier: Apache-2.0
"""One market as Gymnasium's `Env`, for checkers and tools that know no vectors."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.market.env import MarketVecEnv
from pipelines_dagster.phantom.market.reward import Robust

F32 = NDArray[np.float32]


class MarketEnv(gym.Env[F32, NDArray[np.int64]]):  # type: ignore[misc]
    """`MarketVecEnv` of one market, without the leading axis and without autoreset.

    `reset(seed=None)` goes on with the random numbers where they are, as Gymnasium wants.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(
        self,
        config: MarketConfig | None = None,
        *,
        alpha: float | tuple[float, float] | None = None,
        robust: Robust = "none",
        seed: int = 0,
    ) -> None:
        self._many = MarketVecEnv(
            config or MarketConfig(), 1, alpha=alpha, robust=robust, seed=seed, autoreset=False
        )
        self.observation_space = self._many.single_observation_space
        self.action_space = self._many.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[F32, dict[str, Any]]:
        super().reset(seed=seed)
        obs, infos = self._many.reset(seed=seed, options=options)
        return obs[0], {name: value[0] for name, value in infos.items()}

    def step(self, action: ArrayLike) -> tuple[F32, float, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, infos = self._many.step(np.asarray(action)[None])
        told = {name: value[0] for name, value in infos.items()}
        return obs[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), told
