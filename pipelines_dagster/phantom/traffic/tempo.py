# SPDX-License-Identifier: Apache-2.0
"""How long things take: thinking, reading, pointing. Log-normal, with a session's own pace.

Sources: log-normal reading times of pages (Yin et al., KDD 2013; Weibull with negative ageing, in
Liu, White and Dumais, SIGIR 2010, has the same heavy head and tail); think time between clicks of a
shop, mean 7 s, at most 70 s (TPC-W 1.8); pauses, Pareto with exponent 1.5 (Barford and
Crovella, SIGMETRICS 1998).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

_LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class Tempo:
    """Medians and spreads (standard deviation of the logarithm).

    Attributes:
        think_s: before a click on a page at hand.
        read_s: before leaving an item's page.
        hover_ms: the pointer resting on a thing.
        aim_ms: the pointer, or the thumb, on a link before the click.
        pause: chance that something else takes over for a while.
        own: spread of a session's pace around the medians.
    """

    think_s: float
    think_spread: float
    read_s: float
    read_spread: float
    hover_ms: float
    hover_spread: float
    aim_ms: float
    pause: float = 0.0
    own: float = 0.35

    def of_session(self, rng: Random) -> Tempo:
        """This tempo at one visitor's pace."""
        pace = rng.lognormvariate(0.0, self.own)
        return replace(
            self,
            think_s=self.think_s * pace,
            read_s=self.read_s * pace,
            hover_ms=self.hover_ms * pace,
        )

    def think(self, rng: Random) -> int:
        """Milliseconds."""
        return self._drawn(rng, self.think_s, self.think_spread)

    def read(self, rng: Random) -> int:
        """Milliseconds."""
        return self._drawn(rng, self.read_s, self.read_spread)

    def hover(self, rng: Random) -> int:
        """Milliseconds."""
        return 40 + int(rng.lognormvariate(math.log(self.hover_ms), self.hover_spread))

    def aim(self, rng: Random) -> int:
        """Milliseconds."""
        return int(rng.lognormvariate(math.log(self.aim_ms), 0.6))

    def _drawn(self, rng: Random, median_s: float, spread: float) -> int:
        seconds = rng.lognormvariate(math.log(median_s), spread)
        if self.pause and rng.random() < self.pause:
            seconds += 5.0 * rng.paretovariate(1.5)
        return 60 + int(1e3 * min(seconds, _LONGEST_S))


PERSON = Tempo(4.0, 1.0, 12.0, 1.0, 600.0, 0.8, 220.0, pause=0.02, own=0.45)
"""exp(ln 4 + 1/2) is a mean of 6.6 s to a click; half the item pages are left within 12 s (NN/g:
people often leave in 10 to 20 s)."""
HASTY = Tempo(2.2, 0.9, 6.0, 0.9, 480.0, 0.8, 170.0, pause=0.01, own=0.45)
THUMB = Tempo(3.0, 0.95, 8.0, 1.0, 480.0, 0.8, 90.0, pause=0.04, own=0.45)

SCRIPT = Tempo(1.1, 0.7, 1.6, 0.7, 350.0, 0.8, 70.0, pause=0.01, own=0.6)
"""A script that waits for the page and adds jitter so as not to be shut out."""
PLANNER = Tempo(2.8, 0.6, 4.5, 0.7, 600.0, 1.0, 110.0, pause=0.01, own=0.5)
"""A model is asked before each step: seconds, longer after a page of text. The pointer rests where
it was while the model thinks, so some hovers are long."""
