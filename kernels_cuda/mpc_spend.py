# SPDX-License-Identifier: Apache-2.0
"""What `Control.SPEND_RATE` means, measured: the rate a campaign would spend at, were it not paced.

Pacing multiplies weights by linear rate / spend rate. With the paced spend in the denominator the
loop would settle where pace^2 = linear / unpaced, that is at the geometric mean of the two rates;
with spend / pace it settles at the linear rate, whatever spend does with pace.
Source: corrections, receding-horizon controller 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


class SpendMeter:
    """Exponential average of spend / pace a second, for n campaigns at once."""

    def __init__(self, rate: ArrayLike, memory: float = 300.0) -> None:
        """Start at `rate` [n], weight x tokens a second, and forget over `memory` seconds.

        A rate that is too low at the start overspends until it is forgotten: start high.
        """
        self.rate: NDArray[np.float64] = np.array(rate, np.float64)
        self._memory = memory

    def add(self, spent: ArrayLike, pace: ArrayLike, seconds: float) -> None:
        """What was spent [n] during the last `seconds`, at which pace [n].

        A campaign at pace 0 cannot be measured and keeps its rate.
        """
        paced = np.asarray(pace, np.float64)
        moving = paced > 0
        unpaced = np.asarray(spent, np.float64) / np.where(moving, paced, 1.0) / seconds
        share = -np.expm1(-seconds / self._memory)
        self.rate = np.where(moving, self.rate + share * (unpaced - self.rate), self.rate)
