# SPDX-License-Identifier: Apache-2.0
"""The hub that the settings ask for."""

from __future__ import annotations

from bls.brain.hub.dict_hub import DictHub
from bls.brain.hub.feature_hub import FeatureHub
from bls.brain.hub.stats import HubStats
from bls.jsonlog import JsonLog
from bls.limits import LIMITS, Limits


def load_hub(
    redis: str, stats: HubStats, log: JsonLog | None = None, limits: Limits = LIMITS
) -> FeatureHub:
    """A hub with a copy at the URL `redis`, or without one when it is empty.

    Raises `bad_setting`. A Redis that does not answer is no error: the hub works without it and
    writes when it is there.
    """
    local = DictHub(stats, log, limits=limits)
    if not redis:
        return local
    from bls.brain.hub.redis_client import connect  # noqa: PLC0415 (0.2 s, only where needed)
    from bls.brain.hub.redis_hub import RedisHub  # noqa: PLC0415

    return RedisHub(connect(redis, limits), local, limits)
