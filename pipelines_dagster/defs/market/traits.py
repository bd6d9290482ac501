# SPDX-License-Identifier: Apache-2.0
"""What stays the same through a conversation: the draws of its scenario's parameters, as arrays.

Every number is an array over conversations [n] or seats [n, SEATS], so that conversations of
different scenarios advance together.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from pipelines_dagster.defs.market.params import NONE, SEATS, Attack, Bidders, Range

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Traits:
    """n conversations; see `Bidders` for the meaning of each.

    Attributes:
        seated: [n, SEATS] the seat is taken; seats are taken from the front.
        level, ar, innovation, own_step: [n, SEATS].
        attackers: [n, SEATS] seats that take part in the attack.
        kind: [n] the attack's profile; `NONE` never begins.
    """

    seated: Bool
    level: F64
    ar: F64
    innovation: F64
    own_step: F64
    hot_scale: F64
    stay_market: F64
    stay_own: F64
    market_step: F64
    slope: F64
    walk: F64
    swing: F64
    period: F64
    phase: F64
    kind: I64
    hazard: F64
    duration: F64
    size: F64
    attackers: Bool

    def __len__(self) -> int:
        return len(self.slope)

    def __getitem__(self, rows: slice | I64) -> Traits:
        return Traits(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def join(cls, parts: list[Traits]) -> Traits:
        """Parts one after the other."""
        names = [f.name for f in fields(cls)]
        return cls(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})


def draw_traits(bidders: Bidders, count: int, rng: np.random.Generator) -> Traits:
    """`count` conversations of one scenario."""

    def one(span: Range) -> F64:
        return rng.uniform(*span, count)

    def each(span: Range) -> F64:
        return rng.uniform(*span, (count, SEATS))

    seats = rng.integers(bidders.seats[0], bidders.seats[1] + 1, count)
    seats[rng.random(count) < bidders.alone] = 1
    seated = np.arange(SEATS) < seats[:, None]
    attack = bidders.attack or Attack(NONE, 0.0, (1, 1), (0, 0), (0, 0))
    order = rng.random((count, SEATS)).argsort(axis=1).argsort(axis=1)
    wanted = np.maximum(1, np.round(one(attack.share) * SEATS))
    sign = rng.choice([-1.0, 1.0], count)
    return Traits(
        seated=seated,
        level=rng.normal(bidders.level, bidders.level_sd, (count, SEATS)),
        ar=each(bidders.ar),
        innovation=each(bidders.innovation),
        own_step=each(bidders.own_step),
        hot_scale=np.full(count, bidders.hot_scale),
        stay_market=one(bidders.stay_market),
        stay_own=one(bidders.stay_own),
        market_step=one(bidders.market_step),
        slope=one(bidders.slope) * rng.choice([-1.0, 1.0], count),
        walk=np.full(count, bidders.walk),
        swing=one(bidders.swing),
        period=one(bidders.period),
        phase=one(bidders.phase),
        kind=np.full(count, attack.kind),
        hazard=np.full(count, attack.hazard),
        duration=np.round(one(attack.duration)),
        size=one(attack.size) * (sign if attack.signed else 1.0),
        attackers=order < wanted[:, None],
    )
