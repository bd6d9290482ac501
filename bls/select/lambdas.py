# SPDX-License-Identifier: Apache-2.0
"""`/mro/lambda`: how much similarity counts against value, drawn anew for every reply.

    {"lambda_sem": 0.3, "lambda_val": 0.7}                  plays exactly that
    {..., "posteriors": {"0.1": [a, b], ..., "0.9": [a, b]}, "weights": {...}, "cap": 2.5e6}

With posteriors a reply plays the bucket whose draw from its Beta is the largest (Thompson), the
dice being `ctx_id`'s. Source: max_reward_optimizer 3.2; corrections (max-reward optimiser) 1;
the value is made by `pipelines_dagster/defs/training/bandit.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError, field_validator, model_validator

from bls.keys.entry import Entry
from bls.keys.live import LiveValue, Log
from bls.keys.refusal import RefusedError
from bls.keys.stats import KeyStats
from bls.keys.store import KeyStore
from bls.request import Strict, from_validation
from bls.select.explore import Purpose, generator

KEY = "/mro/lambda"
BUCKETS = tuple(round(0.1 * k, 1) for k in range(1, 10))
_NAMES = tuple(map(str, BUCKETS))
_SUM = 1e-6

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[float, Field(gt=0, le=1e12)]


class Lambda(Strict):
    """One value of the key.

    Attributes:
        cap: micro-dollars that a posterior counted as a whole reward.
        weights: how often each bucket is played, as the nightly job found it.
        posteriors: a and b of each bucket's Beta.
    """

    lambda_sem: Share
    lambda_val: Share
    cap: Annotated[float, Field(ge=0)] = 0.0
    weights: dict[str, Share] | None = None
    posteriors: dict[str, Annotated[list[Count], Field(min_length=2, max_length=2)]] | None = None

    @model_validator(mode="after")
    def _sums_to_one(self) -> Lambda:
        if abs(self.lambda_sem + self.lambda_val - 1) > _SUM:
            raise ValueError("lambda_sem + lambda_val must be 1")
        return self

    @field_validator("weights", "posteriors")
    @classmethod
    def _every_bucket(cls, found: dict[str, Any] | None) -> dict[str, Any] | None:
        if found is not None and found.keys() != set(_NAMES):
            raise ValueError("one entry for each of the buckets 0.1 to 0.9")
        return found

    def play(self, ctx_id: str) -> float:
        """The lambda_sem of one reply: the same for the same id."""
        if self.posteriors is None:
            return self.lambda_sem
        a, b = np.array([self.posteriors[name] for name in _NAMES]).T
        return BUCKETS[int(generator(ctx_id, Purpose.LAMBDA).beta(a, b).argmax())]


BUILT_IN = Lambda(lambda_sem=0.7, lambda_val=0.3)
"""Until something was learnt: similarity first, value between the similar."""


def read_lambda(value: Mapping[str, Any]) -> Lambda:
    """Raises `SkynetError` for a value that is not whole or does not sum to 1."""
    try:
        return Lambda.model_validate(dict(value))
    except ValidationError as error:
        raise from_validation(error) from None


class LiveLambda(LiveValue[Lambda]):
    """The live value; `mro.lambda.error` tells of one that is refused, `lambda_reload.event` of one
    that is taken. A reply that has read `live` goes on with it."""

    def __init__(self, store: KeyStore, log: Log, stats: KeyStats | None = None) -> None:
        super().__init__(store, KEY, read_lambda, BUILT_IN, keys=None, log=log, stats=stats)

    def _accept(self, entry: Entry) -> None:
        super()._accept(entry)
        weights = {"lambda_sem": self.current.lambda_sem, "lambda_val": self.current.lambda_val}
        self._log.write("lambda_reload.event", version=entry.version, **weights)

    def _refuse(self, refusal: RefusedError) -> None:
        before = self.stats.refused.total()
        super()._refuse(refusal)
        if self.stats.refused.total() > before:
            told = {"reason": refusal.reason.title, "why": refusal.why, "offered": refusal.version}
            self._log.write("mro.lambda.error", version=self.version, **told)
