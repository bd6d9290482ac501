# SPDX-License-Identifier: Apache-2.0
"""What an incentive audit runs on."""

from __future__ import annotations

from dataclasses import dataclass

from bls.errors import invalid
from bls.limits import LIMITS


@dataclass(frozen=True)
class AuditOptions:
    """Checked at construction.

    Attributes:
        replies: how many replies, each in all its variants.
        tokens: the most tokens of each.
        bidders: advertisers per reply.
        seed: of the choice of chats, campaigns, noise and resampling.
        factors: by what an advertiser multiplies its true bid; 1 is the truth.
        draws: of each token, to check the sampled payments' mean.
    """

    replies: int = 12
    tokens: int = 32
    bidders: int = 3
    seed: int = 0
    temperature: float = 0.7
    w_ref: float = 1.0
    factors: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)
    draws: int = 16

    def __post_init__(self) -> None:
        for name, low, high in (
            ("replies", 1, 10_000),
            ("tokens", 1, LIMITS.output_tokens),
            ("bidders", 1, LIMITS.bidders),
            ("draws", 1, 10_000),
        ):
            if not low <= getattr(self, name) <= high:
                raise invalid("bad_option", f"{name} must be {low} to {high}.", name)
        if 1.0 not in self.factors or min(self.factors) < 0:
            raise invalid("bad_option", "factors must be 0 or more and include 1.", "factors")

    @property
    def truth(self) -> int:
        """Where the truthful factor is."""
        return self.factors.index(1.0)
