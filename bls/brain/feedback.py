# SPDX-License-Identifier: Apache-2.0
"""`tve.feedback`: what was forecast of a hosted ad in a reply, and how much of it was delivered.

Written when the reply ends, a line an ad; joined with readers' clicks later, it trains and judges
the value model. Source: trajectory_value 4 and I-02.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bls.brain.trajectory import Trajectory
from bls.jsonlog import JsonLog

STREAM = "tve.feedback"
VERSION = 1


@dataclass(frozen=True)
class Delivered:
    """One ad's trajectory at the end of its reply.

    Attributes:
        creative: the ad prompt whose tokens make the trajectory.
        ctx_vec: f32 [128].
        tve: first 16 hex digits of the SHA-256 of the version that valued it; empty: not known.
    """

    conv_id: str
    request_id: str
    trajectory: Trajectory
    creative: str
    ctx_vec: NDArray[np.float32]
    tve: str = ""

    def line(self) -> Mapping[str, object]:
        """The fields of its line."""
        ad, curve = self.trajectory, self.trajectory.curve
        return {
            "v": VERSION,
            "ts": round(time.time(), 6),
            "conv_id": self.conv_id,
            "request_id": self.request_id,
            "row": ad.row,
            "advertiser": ad.advertiser,
            "creative": self.creative,
            "ctx_vec": self.ctx_vec.tolist(),
            "rate": ad.rate,
            "delivered": min(ad.won, curve.count),
            "count": curve.count,
            "abandoned": ad.plan is not None,
            "v_max": curve.v_max,
            "a": curve.a,
            "k_0": curve.k_0,
            "spread": curve.spread,
            "tve": self.tve,
        }


@dataclass(frozen=True)
class FeedbackLog:
    """Logs them without waiting; see `JsonLog`."""

    log: JsonLog

    def __call__(self, ended: Sequence[Delivered]) -> None:
        self.log.write_many([(STREAM, one.line()) for one in ended])
