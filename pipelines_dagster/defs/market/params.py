# SPDX-License-Identifier: Apache-2.0
"""Parameters of the bidders: what a conversation's competition is drawn from, by scenario.

Ranges (low, high) are drawn uniformly once per conversation or per seat. Everything random about a
seat is in these numbers; the equations are in `docs/market.md`. Logs are natural, times in tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log, pi

from bls.errors import invalid

Range = tuple[float, float]

SEATS = 8
"""Most advertisers of a conversation."""

NONE, SPIKE, BLUFF, DRIFT, PUMP, SILENCE = range(6)
ATTACKS = {"spike": SPIKE, "bluff": BLUFF, "drift": DRIFT, "pump": PUMP, "silence": SILENCE}


@dataclass(frozen=True)
class Attack:
    """A manoeuvre some seats make together, again and again.

    Attributes:
        kind: its profile, see `attack_offset`.
        hazard: chance a token that it begins, while it is not under way.
        duration: tokens it lasts on average (the end comes by chance, too); of a pump, its ramp.
        share: share of the seats that take part, at least one.
        size: log factor it reaches; for a drift, per token.
        signed: the size's sign is drawn.
    """

    kind: int
    hazard: float
    duration: Range
    share: Range
    size: Range
    signed: bool = False


@dataclass(frozen=True)
class Bidders:
    """One scenario's competition.

    Attributes:
        alone: share of conversations with a single advertiser (it faces the floor).
        seats: advertisers otherwise, inclusive.
        level, level_sd: of a seat's log bid, before context and regimes.
        affinity: added to the level per unit of cosine between context and advertiser.
        ar: memory of a seat's deviation from its level.
        innovation: its standard deviation per token in a calm market; x hot_scale in a hot one.
        stay_market, stay_own: chance a token that a regime lasts.
        market_step, own_step: what a hot regime adds to log bids.
        slope: log drift per token of the whole market, either sign.
        walk: innovation of the market's common random walk.
        swing, period, phase: of the market's periodic swing; its phase is from the opening.
    """

    alone: float = 0.03
    seats: tuple[int, int] = (2, SEATS)
    level: float = log(0.25)
    level_sd: float = 0.35
    affinity: float = 0.6
    ar: Range = (0.85, 0.95)
    innovation: Range = (0.08, 0.16)
    hot_scale: float = 1.4
    stay_market: Range = (0.96, 0.98)
    stay_own: Range = (0.96, 0.98)
    market_step: Range = (0.3, 0.5)
    own_step: Range = (0.2, 0.5)
    slope: Range = (0.0, 0.0)
    walk: float = 0.0
    swing: Range = (0.0, 0.0)
    period: Range = (12.0, 12.0)
    phase: Range = (0.0, 2 * pi)
    attack: Attack | None = None


STATIONARY = Bidders()
DRIFTING = Bidders(slope=(0.005, 0.02), walk=0.04)
PREDICTABLE = Bidders(
    innovation=(0.02, 0.04),
    hot_scale=1.0,
    stay_market=(0.985, 0.995),
    stay_own=(0.985, 0.995),
    market_step=(0.4, 0.6),
    swing=(0.4, 0.7),
    phase=(-0.3, 0.3),
)

SCENARIOS: dict[str, Bidders] = {
    "stationary": STATIONARY,
    "drifting": DRIFTING,
    "predictable": PREDICTABLE,
    "spike": replace(
        STATIONARY, attack=Attack(SPIKE, 0.06, (1, 2), (0.1, 0.3), (log(10), log(10)))
    ),
    "bluff": replace(
        STATIONARY, attack=Attack(BLUFF, 0.04, (6, 12), (0.3, 0.7), (log(0.1), log(0.1)))
    ),
    "drift": replace(
        STATIONARY, attack=Attack(DRIFT, 0.08, (1e9, 1e9), (0.5, 1.0), (0.03, 0.06), signed=True)
    ),
    "pump": replace(STATIONARY, attack=Attack(PUMP, 0.06, (10, 20), (0.5, 1.0), (log(4), log(6)))),
    "silence": replace(
        STATIONARY, attack=Attack(SILENCE, 0.04, (5, 12), (0.3, 0.8), (-30.0, -30.0))
    ),
}
"""The three market regimes of the A/B experiment and the five attacks of competitor_bid 2.2 I."""

TRAIN_MIX = {
    "stationary": 0.4,
    "drifting": 0.2,
    "predictable": 0.15,
    "spike": 0.08,
    "bluff": 0.05,
    "drift": 0.05,
    "pump": 0.04,
    "silence": 0.03,
}
"""The default training set: mostly plain markets, some of every attack."""

MIXES: dict[str, dict[str, float]] = {
    "train": TRAIN_MIX,
    "regimes": {"stationary": 1.0, "drifting": 1.0, "predictable": 1.0},
    "attacks": dict.fromkeys(ATTACKS, 1.0),
    **{name: {name: 1.0} for name in SCENARIOS},
}
"""What `--scenario` takes: scenarios and their shares."""


def shifted(bidders: Bidders) -> Bidders:
    """The same scenario with parameters outside the ranges training saw: dearer, faster, noisier.

    Held-out worlds use it. Steps and persistence leave the training ranges, innovations reach a
    quarter beyond them, memory is shorter.
    """
    high = bidders.innovation[1]
    return replace(
        bidders,
        level=bidders.level + 0.7,
        level_sd=0.5,
        ar=(0.80, 0.85),
        innovation=(high, 1.25 * high),
        stay_market=_less(bidders.stay_market, 0.015),
        stay_own=_less(bidders.stay_own, 0.015),
        market_step=(bidders.market_step[1], 1.2 * bidders.market_step[1]),
    )


def mix_of(name: str) -> dict[str, float]:
    """Scenarios and shares (sum 1) of a mix. Raises `unknown_scenario`."""
    mix = MIXES.get(name)
    if mix is None:
        raise invalid("unknown_scenario", f"A scenario is one of {', '.join(MIXES)}.", "scenario")
    total = sum(mix.values())
    return {scenario: share / total for scenario, share in mix.items()}


def _less(span: Range, by: float) -> Range:
    return span[0] - by, span[1] - by
