# SPDX-License-Identifier: Apache-2.0
"""How much traffic, of what kind; the same plan asks the same replies in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bls.errors import invalid
from bls.limits import LIMITS
from pipelines_dagster.defs.market.params import MIXES

CAMPAIGNS = Path(__file__).with_name("campaigns.json")
"""Campaigns with budgets that a day of traffic does not use up: `SKYNET_CAMPAIGNS`."""


@dataclass(frozen=True)
class TrafficPlan:
    """Ends after `seconds`, or `replies` if that comes first.

    Attributes:
        concurrency: replies being written at a time.
        seed: of chats, bidders, bids and readers; part of every conv_id.
        hosted: campaigns per reply that the controller bids for.
        rivals: (fewest, most) competitors per reply; their bids follow `scenario`.
        scenario: a mix of `market.params.MIXES`.
        tokens: (fewest, most) tokens of a reply.
        clicks: let readers react; off for a server without `/v1/clicks`.
        campaigns: the file the server was started with (`SKYNET_CAMPAIGNS`).
    """

    seconds: float = 60.0
    replies: int = 1_000_000
    concurrency: int = 4
    seed: int = 0
    hosted: int = 1
    rivals: tuple[int, int] = (2, 3)
    scenario: str = "regimes"
    tokens: tuple[int, int] = (32, 56)
    clicks: bool = True
    campaigns: Path = CAMPAIGNS

    def __post_init__(self) -> None:
        if not self.seconds > 0 or self.replies < 1:
            raise _bad("seconds and replies are above 0")
        if not 1 <= self.concurrency <= LIMITS.streams:
            raise _bad(f"concurrency is 1 to {LIMITS.streams}")
        if not 0 < self.rivals[0] <= self.rivals[1]:
            raise _bad("rivals are (fewest, most), 1 or more")
        if self.hosted < 0 or self.hosted + self.rivals[1] > LIMITS.bidders:
            raise _bad(f"a reply has at most {LIMITS.bidders} bidders")
        if not 1 <= self.tokens[0] <= self.tokens[1] <= LIMITS.output_tokens:
            raise _bad(f"tokens are (fewest, most), at most {LIMITS.output_tokens}")
        if self.scenario not in MIXES:
            raise _bad(f"scenario is one of {', '.join(MIXES)}")


def _bad(why: str) -> Exception:
    return invalid("bad_plan", f"Not a traffic plan: {why}.")
