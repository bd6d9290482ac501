# SPDX-License-Identifier: Apache-2.0
"""The lambda-bandit click by click: what the nightly job does from the lake, for a live loop.

Reward of a reply is the money of a click, r = min(1, money / cap); its bucket's Beta becomes
a + r, b + 1 - r. The cap runs: the 99th percentile of what the last clicked replies earned.
Source: max_reward_optimizer 3.2; corrections (max-reward optimiser) 1.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.errors import invalid
from bls.select.lambdas import BUCKETS

CAP_QUANTILE = 0.99
CAP_WINDOW = 1_000
"""Clicked replies the cap looks back on."""

_CAP_EVERY = 50
_DRAWS = 20_000


class RunningCap:
    """A quantile of the last positive rewards; made anew every 50th, and while there are few."""

    def __init__(self) -> None:
        self._earned: deque[float] = deque(maxlen=CAP_WINDOW)
        self._seen = 0
        self.value = 0.0

    def share(self, money: float) -> float:
        """`money` in [0, 1], after it was seen."""
        if money <= 0:
            return 0.0
        self._earned.append(money)
        self._seen += 1
        if self._seen <= _CAP_EVERY or self._seen % _CAP_EVERY == 0:
            self.value = float(np.quantile(np.array(self._earned), CAP_QUANTILE))
        return min(1.0, money / self.value)


class ThompsonTuner:
    """Posteriors of the nine buckets, from one thread."""

    def __init__(self, seed: int = 0) -> None:
        self._a = np.ones(len(BUCKETS))
        self._b = np.ones(len(BUCKETS))
        self._cap = RunningCap()
        self._seed = seed

    def update(self, bucket: float, reward_micros: int, clicked: bool) -> None:
        """Take in one reply that played `bucket`. Raises `bad_bucket`, `bad_reward`.

        Args:
            reward_micros: what the shown creative is worth, >= 0.
        """
        if round(bucket, 1) not in BUCKETS:
            raise invalid("bad_bucket", "A bucket is 0.1, 0.2, ... or 0.9.")
        if reward_micros < 0:
            raise invalid("bad_reward", "A reward is not negative.")
        arm = BUCKETS.index(round(bucket, 1))
        reward = self._cap.share(reward_micros) if clicked else 0.0
        self._a[arm] += reward
        self._b[arm] += 1 - reward

    def weights(self) -> NDArray[np.float64]:
        """[9], how often each bucket is played; they sum to 1."""
        draws = np.random.default_rng(self._seed).beta(self._a, self._b, (_DRAWS, len(BUCKETS)))
        return np.bincount(draws.argmax(axis=1), minlength=len(BUCKETS)) / _DRAWS

    def value(self) -> dict[str, Any]:
        """What is put under `/mro/lambda`."""
        played = self.weights()
        best = BUCKETS[int(played.argmax())]
        pairs = zip(BUCKETS, self._a, self._b, strict=True)
        return {
            "lambda_sem": best,
            "lambda_val": round(1 - best, 1),
            "cap": self._cap.value,
            "weights": dict(zip(map(str, BUCKETS), played.tolist(), strict=True)),
            "posteriors": {str(k): [float(a), float(b)] for k, a, b in pairs},
        }
