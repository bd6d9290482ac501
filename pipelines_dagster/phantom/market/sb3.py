# SPDX-License-Identifier: Apache-2.0
"""The market as stable-baselines3's `VecEnv`: the same arrays, its conventions.

stable-baselines3 wants a dict per environment and the last observation of an ended episode in
`terminal_observation`; everything else passes through. Per-step figures are kept in `last_infos` as
arrays, since a dict of figures per environment and step would cost more than the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from bls.errors import invalid
from pipelines_dagster.phantom.market.env import MarketVecEnv


class MarketSb3(VecEnv):  # type: ignore[misc]
    """Adapter around `env`, whose episodes reset in the same step.

    Attributes:
        last_infos: what `MarketVecEnv.step` told last.
    """

    def __init__(self, env: MarketVecEnv) -> None:
        self.env = env
        self.render_mode = None
        self.last_infos: dict[str, Any] = {}
        self._actions: NDArray[np.int64] | None = None
        self._returns = np.zeros(env.num_envs)
        self._lengths = np.zeros(env.num_envs, np.int64)
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> NDArray[np.float32]:
        seed = self._seeds[0]
        obs, _ = self.env.reset(seed=seed)
        self._reset_seeds()
        self._reset_options()
        self._returns[:], self._lengths[:] = 0, 0
        return obs

    def step_async(self, actions: NDArray[np.int64]) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], Any, list[Any]]:
        if self._actions is None:
            raise invalid("no_action", "A step needs actions first.")
        obs, reward, terminated, truncated, self.last_infos = self.env.step(self._actions)
        self._actions = None
        self._returns += reward
        self._lengths += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        done = terminated | truncated
        for one in np.flatnonzero(done):
            infos[one] = {
                "terminal_observation": self.last_infos["final_obs"][one],
                "TimeLimit.truncated": bool(truncated[one]),
                "episode": {"r": float(self._returns[one]), "l": int(self._lengths[one]), "t": 0.0},
            }
        self._returns[done], self._lengths[done] = 0, 0
        return obs, reward.astype(np.float32), done, infos

    def close(self) -> None:
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Of the vector environment, the same for each of `indices`."""
        value = getattr(self if attr_name == "render_mode" else self.env, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refused: markets share their attributes."""
        raise _shared()

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Refused, as `set_attr`."""
        raise _shared()

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """At the next reset; one seed for all markets."""
        self._seeds = [seed] * self.num_envs
        return self._seeds


def _shared() -> Exception:
    return invalid("shared_market", "Markets of one vector share their attributes.")
