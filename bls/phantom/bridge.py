# SPDX-License-Identifier: Apache-2.0
"""What f(tau) of a chat's shop session does to its auction (docs/bridge.md).

    dV_k     <-  dV_k (1 - strength max(0, f - free) / (1 - free))       every controlled ad
    receipt  <-  invalid, every charge of the reply refunded             f >= invalid_at at its end

A showing is worth something to an advertiser when a person sees it, so of its value the expected
part is (1 - f) V for a calibrated f; `free` keeps people whose score is merely uncertain out of it.
Bids that an advertiser fixed are its own choice: they stay, and the receipt says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bls.errors import invalid

RULE = "agent_probability>=%g"
"""What a receipt calls the rule that made its traffic invalid."""

LEARN_BELOW = 0.5
"""f from which a showing teaches nothing: it was more likely a program's.

Money goes by a rule that is seldom wrong (`invalid_at`), training by one that misses little: what a
person did is soon done again, and what a program did stays in the model.
"""


class ScoreSource(Protocol):
    """Who knows the agent probability f(tau) of live shop sessions: the gateway's session book."""

    def score(self, sid: str, /) -> float | None:
        """f in [0, 1]; None for a session nobody knows or that nobody could score. Never waits."""


class NoScores:
    """Of a gateway without a session book."""

    def score(self, sid: str, /) -> float | None:
        return None


def known(score: float | None) -> float | None:
    """`score` when it is a probability, else None: a broken scorer has no effect."""
    return score if score is not None and 0.0 <= score <= 1.0 else None


@dataclass(frozen=True)
class Dials:
    """How strongly the auction listens to f(tau); live as fields of `/mpc/params`.

    Attributes:
        free: f up to which nothing is discounted, in [0, 1).
        strength: share of its value that an ad loses at f = 1, in [0, 1]; 0 switches it off.
        loss: share of the discount that L takes too, in [0, 1]. At 0 the controller still pays
            not to lose an ad that it began, whoever reads it, until it gives the ad up.
        invalid_at: f from which a reply is invalid traffic; above 1 none ever is.

    Raises:
        SkynetError: `bad_dial` outside these ranges.
    """

    free: float = 0.2
    strength: float = 1.0
    loss: float = 0.0
    invalid_at: float = 0.95

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 <= value <= (math.inf if name == "invalid_at" else 1.0):
                raise invalid("bad_dial", "Dials of the bridge are shares.", name)
        if self.free == 1.0:
            raise invalid("bad_dial", "What is free lies below 1.", "free")

    def discount(self, score: float | None) -> float:
        """What dV is multiplied by, in [0, 1]: 1 without a score, falling in f."""
        score = known(score)
        if score is None:
            return 1.0
        return 1.0 - self.strength * max(0.0, score - self.free) / (1.0 - self.free)

    def losses(self, discount: float) -> float:
        """What L is multiplied by where dV is multiplied by `discount`."""
        return 1.0 - self.loss * (1.0 - discount)

    def invalid(self, score: float | None) -> bool:
        """Whether what such a session does is invalid traffic."""
        score = known(score)
        return score is not None and score >= self.invalid_at


DIALS = Dials()


@dataclass(frozen=True)
class Ruling:
    """What a reply's traffic was, said once, when the reply ends.

    Attributes:
        score: f then; None: the session was not known.
        rule: that made it invalid; empty for valid traffic.
        discounted: rows whose value was discounted for a token at least; fixed: all others.
    """

    score: float | None = None
    valid: bool = True
    rule: str = ""
    discounted: tuple[int, ...] = ()
    fixed: tuple[int, ...] = ()

    @classmethod
    def of(cls, score: float | None, dials: Dials, rows: int, discounted: Sequence[int]) -> Ruling:
        """The ruling on a reply of `rows` advertisers."""
        void = dials.invalid(score)
        fixed = tuple(row for row in range(1, rows + 1) if row not in discounted)
        rule = RULE % dials.invalid_at if void else ""
        return cls(known(score), not void, rule, tuple(discounted), fixed)

    def refunds(self, charges: Sequence[int]) -> list[int]:
        """Micro-units given back to each advertiser, in row order: all of it, or nothing."""
        return [0] * len(charges) if self.valid else list(charges)

    def as_json(self) -> dict[str, object]:
        """`traffic` of a receipt."""
        return {
            "agent_probability": None if self.score is None else round(self.score, 6),
            "valid": self.valid,
            "rule": self.rule,
            "discounted": list(self.discounted),
            "fixed": list(self.fixed),
        }
