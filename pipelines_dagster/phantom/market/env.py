# SPDX-License-Identifier: Apache-2.0
"""The market as Gymnasium's `VectorEnv`: n markets in step, one numpy pass.

A step: the platform posts a price per item (base or last price x multiplier), `sessions` visitors
come, what they buy and how they act gives the reward (`reward`) and the next observation. An
episode ends (terminated) when the margin was below its floor for `patience` steps in a row, and is
cut off (truncated) after `steps`. Published figures and what had to be chosen: `config`, `visits`,
`reward`.

Random numbers of visitors depend on the seed and the number of steps taken, never on the prices:
two policies with the same seed meet the same visitors (paired seeds).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike, NDArray

from bls.contracts import PriceState
from pipelines_dagster.phantom.market.behaviour import Bank, Behaviour, bank_of, built_in
from pipelines_dagster.phantom.market.config import MarketConfig, bad_market
from pipelines_dagster.phantom.market.reward import ROBUST, Robust, Worth, worth
from pipelines_dagster.phantom.market.visits import Tally, crowd, visit
from pipelines_dagster.phantom.robust import grid

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Alpha = float | ArrayLike | tuple[float, float] | Literal["random"]
WIDTH = len(PriceState)
UNKNOWN = 0.5
"""f(tau) before anybody has acted."""


class MarketVecEnv(gym.vector.VectorEnv[F32, I64, F64]):  # type: ignore[misc]
    """n markets.

    Actions: int [n, products], indices of `config.multipliers`. Observations: f32 [n, products x
    8], item after item, each in the layout of `bls.contracts.PriceState`. `infos` of a step,
    float64 [n]: revenue, profit, margin, coi, coi_leak, ux, supra, objective (the reward without
    robustness), alpha, f_mean; [n, products]: prices, demand (units sold). Where an episode ended,
    `final_obs` has what was observed before the reset, `_final_obs` [n] says where.

    Args:
        num_envs: markets.
        alpha: share of agents: one, one a market [n], a pair (low, high) from which every episode
            draws its own, or `random` for (0, 1). None: the configuration's.
        robust: `none`; `grid`, the least reward over the alpha grid; `w1`, over a Wasserstein ball.
        seed: of everything, until `reset` gives another.
        behaviour: kernels of people and agents; None: the built-in ones.
        autoreset: a market whose episode ended starts the next one in the same step. Without, the
            caller resets all of them.

    Raises:
        SkynetError: `bad_market`.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}  # noqa: RUF012

    alpha: F64
    prices: F64
    _poor: I64
    _step: I64
    _obs: F32

    def __init__(
        self,
        config: MarketConfig,
        num_envs: int,
        *,
        alpha: Alpha | None = None,
        robust: Robust = "none",
        seed: int = 0,
        behaviour: Behaviour | None = None,
        autoreset: bool = True,
    ) -> None:
        if num_envs < 1:
            raise bad_market("num_envs must be 1 or more", "num_envs")
        if robust not in ROBUST:
            raise bad_market("robust must be none, grid or w1", "robust")
        self.config, self.num_envs, self.robust = config, num_envs, robust
        self.bank: Bank = _bank(config) if behaviour is None else bank_of(config, behaviour, 0)
        self._low, self._high = _range(alpha if alpha is not None else config.alpha, num_envs)
        self._autoreset = autoreset
        if not autoreset:
            self.metadata = {**self.metadata, "autoreset_mode": AutoresetMode.DISABLED}
        width = config.products * WIDTH
        self.single_observation_space = gym.spaces.Box(0.0, np.inf, (width,), np.float32)
        self.single_action_space = gym.spaces.MultiDiscrete(
            [len(config.multipliers)] * config.products
        )
        batch = gym.vector.utils.batch_space
        self.observation_space = batch(self.single_observation_space, num_envs)
        self.action_space = batch(self.single_action_space, num_envs)
        self._fixed = _fixed(config)
        self._seed(seed)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[F32, dict[str, Any]]:
        """Starts every market anew; with a seed the random numbers too, without they go on."""
        del options  # Gymnasium's; the market has none
        if seed is not None:
            self._seed(seed)
        self._start(np.ones(self.num_envs, bool))
        return self._obs.copy(), {"alpha": self.alpha.copy()}

    def step(self, actions: ArrayLike) -> tuple[F32, F64, Any, Any, dict[str, Any]]:
        """Posts the prices. Raises `bad_market` for actions of another shape or out of range."""
        prices = self._posted(actions)
        came = crowd(self.config, self.num_envs, self._rng)
        shares = None
        if self.robust == "grid":
            radius, count = self.config.robust_radius, self.config.robust_points
            shares = grid.points(self.alpha, radius, count)
        tally = visit(self.config, self.bank, prices, self.alpha, came, rng=self._rng, grid=shares)
        told = worth(self.config, prices, self.prices, tally, self.robust)
        self.prices = prices
        self._observe(prices, tally)
        terminated, truncated = self._ended(told.margin)
        infos = self._infos(told, tally, prices)
        obs, ended = self._obs, terminated | truncated
        if self._autoreset and ended.any():
            infos["final_obs"], infos["_final_obs"] = obs.copy(), ended
            self._start(ended)
        return self._obs.copy(), told.reward, terminated, truncated, infos

    def _posted(self, actions: ArrayLike) -> F64:
        chosen = np.asarray(actions)
        shape = (self.num_envs, self.config.products)
        if chosen.shape != shape or chosen.dtype.kind not in "iu":
            raise bad_market("an action is an integer per market and item", "actions")
        if chosen.min() < 0 or chosen.max() >= len(self.config.multipliers):
            raise bad_market("an action is an index of the multipliers", "actions")
        if self.config.moves == "base":
            prices: F64 = self.config.ladder[chosen, np.arange(self.config.products)]
            return prices
        moved: F64 = self.prices * np.asarray(self.config.multipliers)[chosen]
        return moved.clip(self.config.low, self.config.high)

    def _ended(self, margin: F64) -> tuple[Any, Any]:
        self._poor = np.where(margin < self.config.margin_floor, self._poor + 1, 0)
        self._step += 1
        terminated = self._poor >= self.config.patience
        return terminated, (self._step >= self.config.steps) & ~terminated

    def _infos(self, told: Worth, tally: Tally, prices: F64) -> dict[str, Any]:
        infos = {name: value for name, value in vars(told).items() if name != "reward"}
        f_mean = tally.agent / self.config.sessions
        return infos | {
            "alpha": self.alpha.copy(),
            "f_mean": f_mean,
            "demand": tally.units,
            "prices": prices,
        }

    def _observe(self, prices: F64, tally: Tally) -> None:
        config, rows = self.config, self._obs.reshape(self.num_envs, -1, WIDTH)
        total = tally.interest.sum(axis=1, keepdims=True)
        even = np.ones_like(tally.interest)
        rows[..., PriceState.DEMAND] = np.divide(
            tally.interest * config.products, total, out=even, where=total > 0
        )
        rows[..., PriceState.PRICE] = prices / config.base
        rows[..., PriceState.AGENT] = (tally.agent / config.sessions)[:, None]
        rows[..., PriceState.EVENTS] = np.log1p(tally.events / config.sessions)[:, None] / 5
        rows[..., PriceState.QUOTES] = np.log1p(1 + tally.shown / config.sessions) / 5

    def _start(self, which: NDArray[np.bool_]) -> None:
        drawn = self._low + (self._high - self._low) * self._episodes.random(self.num_envs)
        self.alpha = np.where(which, drawn, self.alpha)
        self.prices = np.where(which[:, None], self.config.base, self.prices)
        self._poor = np.where(which, 0, self._poor)
        self._step = np.where(which, 0, self._step)
        self._obs = np.where(which[:, None], self._fixed, self._obs)

    def _seed(self, seed: int) -> None:
        visitors, episodes = np.random.SeedSequence(seed).spawn(2)
        self._rng = np.random.Generator(np.random.SFC64(visitors))
        self._episodes = np.random.Generator(np.random.SFC64(episodes))
        self._np_random, self._np_random_seed = self._rng, seed
        count, products = self.num_envs, self.config.products
        self.alpha = np.zeros(count)
        self.prices = np.tile(self.config.base, (count, 1))
        self._poor = np.zeros(count, np.int64)
        self._step = np.zeros(count, np.int64)
        self._obs = np.zeros((count, products * WIDTH), np.float32)


def _range(alpha: Alpha, count: int) -> tuple[F64, F64]:
    if isinstance(alpha, str):
        if alpha != "random":
            raise bad_market("alpha is a number, one a market, a pair, or random", "alpha")
        alpha = (0.0, 1.0)
    low, high = alpha if isinstance(alpha, tuple) and len(alpha) == 2 else (alpha, alpha)
    try:
        ends = [np.broadcast_to(np.asarray(end, np.float64), (count,)) for end in (low, high)]
    except (ValueError, TypeError):
        raise bad_market("alpha is a number, one a market, a pair, or random", "alpha") from None
    if not (np.all(ends[0] >= 0) and np.all(ends[0] <= ends[1]) and np.all(ends[1] <= 1)):
        raise bad_market("alpha must lie in [0, 1]", "alpha")
    return ends[0], ends[1]


def _fixed(config: MarketConfig) -> F32:
    """The observation before the first step: nobody has come."""
    rows = np.zeros((config.products, WIDTH), np.float32)
    rows[:, PriceState.DEMAND] = rows[:, PriceState.PRICE] = 1.0
    rows[:, PriceState.LOW] = config.lowest / config.base
    rows[:, PriceState.HIGH] = config.highest / config.base
    rows[:, PriceState.COST] = config.unit_cost / config.base
    rows[:, PriceState.AGENT] = UNKNOWN
    return rows.reshape(-1)


@lru_cache(maxsize=8)
def _bank(config: MarketConfig) -> Bank:
    return bank_of(config, built_in(), 0)
