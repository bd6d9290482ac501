# SPDX-License-Identifier: Apache-2.0
"""PPO, A2C and DQN (stable-baselines3) on the rows of `ItemMarket`.

stable-baselines3 learns a plain network of one item's scaled state; its weights are copied into a
`NetworkPolicy`, and nothing of it is kept: its own files are pickles.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from bls.contracts import MULTIPLIERS
from pipelines_dagster.phantom.policies.items import ItemMarket
from pipelines_dagster.phantom.policies.network import Layer, NetworkPolicy
from pipelines_dagster.phantom.policies.policy import F32, I64, STATE
from pipelines_dagster.phantom.policies.scaling import scaled, seen
from pipelines_dagster.phantom.policies.train import Tell, TrainPlan, market_of

HIDDEN = [16, 16]
WARM = 10
"""One step in so many is spent at random, before learning, for `Credit` to see every level."""
GAMMA = 0.5
"""What a price does is over after a step or two: only the volatility penalty looks back."""


def learn(plan: TrainPlan, tell: Tell) -> NetworkPolicy:
    """Train as the plan's tier says."""
    torch.set_num_threads(1)
    mask = seen(plan.origin.robust)
    market = market_of(plan)
    market.warm(plan.steps // WARM)
    env = _Rows(market, mask)
    model = _model(plan, env)
    total = max(1, plan.steps - plan.steps // WARM) * env.num_envs
    model.learn(total, callback=_Progress(total, tell), log_interval=None)
    return NetworkPolicy(_layers(model), mask)


def _model(plan: TrainPlan, env: _Rows) -> Any:
    net = {"net_arch": HIDDEN, "activation_fn": nn.Tanh}
    common: dict[str, Any] = {"gamma": GAMMA, "seed": plan.origin.seed, "device": "cpu"}
    rollout = max(1, min(20, plan.steps))
    match plan.origin.tier:
        case "ppo":
            size = max(2, rollout * env.num_envs // 4)
            return PPO(
                "MlpPolicy",
                env,
                learning_rate=lambda left: 5e-4 + 4.5e-3 * left,
                n_steps=rollout,
                batch_size=size,
                n_epochs=5,
                gae_lambda=0.9,
                ent_coef=0.03,
                policy_kwargs=net,
                **common,
            )
        case "a2c":
            return A2C(
                "MlpPolicy",
                env,
                learning_rate=lambda left: 5e-4 + 2.5e-3 * left,
                n_steps=min(3, rollout),
                ent_coef=0.03,
                normalize_advantage=True,
                use_rms_prop=False,
                policy_kwargs=net,
                **common,
            )
        case _:
            return DQN(
                "MlpPolicy",
                env,
                learning_rate=lambda left: 5e-4 + 4.5e-3 * left,
                buffer_size=max(1, min(plan.steps, 500)) * env.num_envs,
                learning_starts=min(plan.steps, 10) * env.num_envs,
                batch_size=512,
                train_freq=1,
                gradient_steps=2,
                target_update_interval=10 * env.num_envs,
                exploration_fraction=0.5,
                exploration_final_eps=0.2,
                policy_kwargs=net,
                **common,
            )


def _layers(model: Any) -> tuple[Layer, ...]:
    policy = model.policy
    if isinstance(model, DQN):
        found = [part for part in policy.q_net.q_net if isinstance(part, nn.Linear)]
    else:
        hidden = [p for p in policy.mlp_extractor.policy_net if isinstance(p, nn.Linear)]
        found = [*hidden, policy.action_net]
    return tuple(Layer(_array(one.weight).T.copy(), _array(one.bias)) for one in found)


def _array(tensor: torch.Tensor) -> F32:
    return np.array(tensor.detach().numpy(), np.float32)


class _Progress(BaseCallback):  # type: ignore[misc]
    def __init__(self, total: int, tell: Tell) -> None:
        super().__init__()
        self._total, self._tell = total, tell

    def _on_step(self) -> bool:
        self._tell(min(1.0, self.num_timesteps / self._total))
        return True


class _Rows(VecEnv):  # type: ignore[misc]
    """`ItemMarket` by stable-baselines3's conventions: an environment a row, scaled states."""

    def __init__(self, market: ItemMarket, mask: F32) -> None:
        self._market, self._mask = market, mask
        self._levels: I64 = np.zeros(0, np.int64)
        self.render_mode = None
        box = gym.spaces.Box(-np.inf, np.inf, (STATE,), np.float32)
        super().__init__(market.rows, box, gym.spaces.Discrete(len(MULTIPLIERS)))

    def reset(self) -> F32:
        return scaled(self._market.reset(), self._mask)

    def step_async(self, actions: I64) -> None:
        self._levels = actions

    def step_wait(self) -> tuple[F32, Any, Any, list[dict[str, Any]]]:
        state, reward, terminated, truncated, last = self._market.step(self._levels)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = terminated | truncated
        if ended.any():
            before = scaled(last, self._mask)
            for row in np.flatnonzero(ended):
                infos[row] = {
                    "terminal_observation": before[row],
                    "TimeLimit.truncated": bool(truncated[row]),
                }
        return scaled(state, self._mask), reward.astype(np.float32), ended, infos

    def close(self) -> None:
        """Nothing is held."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **more: Any) -> Any:
        return [getattr(self, method_name)(*args, **more)] * self.num_envs

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs
