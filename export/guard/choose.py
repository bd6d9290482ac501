# SPDX-License-Identifier: Apache-2.0
"""A threshold for each use: the lowest that keeps false alarms of the calibration part small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from bls.contracts import Use

TARGETS: Mapping[Use, Mapping[str, float]] = MappingProxyType(
    {
        # A false alarm costs the ads of one reply.
        Use.USER: MappingProxyType({"chats": 0.001, "neither": 0.05}),
        # Ads are not tweets: what tweets look like does not count.
        Use.AD: MappingProxyType({"chats": 0.001, "ads": 0.006, "ad_prompts": 0.005}),
        # A false alarm damages a reply.
        Use.REPLY: MappingProxyType({"chats": 0.0005, "neither": 0.02}),
    }
)
"""Highest share of each source that may be taken for unsafe."""

_GRID = tuple(round(float(x), 3) for x in np.arange(0.05, 0.996, 0.005))


def choose(scores: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """By the use's name in small letters; `scores` of safe texts by source."""
    return {use.name.lower(): _lowest(scores, targets) for use, targets in TARGETS.items()}


def _lowest(scores: Mapping[str, Sequence[float]], targets: Mapping[str, float]) -> float:
    for threshold in _GRID:
        if all(
            np.mean(np.asarray(scores[source]) >= threshold) <= most
            for source, most in targets.items()
            if len(scores.get(source, ()))
        ):
            return threshold
    return _GRID[-1]
