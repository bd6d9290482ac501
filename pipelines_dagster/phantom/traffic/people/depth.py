# SPDX-License-Identifier: Apache-2.0
"""How many pages a visit has: the inverse Gaussian of the law of surfing."""

from __future__ import annotations

import math
from random import Random


def pages(rng: Random, mean: float, shape: float) -> int:
    """At least 1. Drawn as Michael, Schucany and Haas (American Statistician 1976) do."""
    square = rng.gauss(0.0, 1.0) ** 2
    root = math.sqrt(4.0 * mean * shape * square + (mean * square) ** 2)
    low = mean + mean * (mean * square - root) / (2.0 * shape)
    drawn = low if rng.random() <= mean / (mean + low) else mean * mean / low
    return max(1, round(drawn))
