# SPDX-License-Identifier: Apache-2.0
"""Campaigns and creatives as the database holds them. Money is integer micro-dollars.

`seq` rises with every change of a table's records, so a reader that remembers the last one it saw
asks for what came after. A deleted creative stays as a tombstone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bls.guard.ruling import UNJUDGED, Ruling


class Status(StrEnum):
    """Whether a campaign takes part."""

    ACTIVE = "active"
    PAUSED = "paused"


class Checked(StrEnum):
    """What the guard said of a creative's text, once per version of the text."""

    WAITING = "waiting"  # nobody has judged it yet: never shown
    OK = "ok"
    BLOCKED = "blocked"


def checked_of(ruling: Ruling) -> Checked:
    """What the guard's ruling on an ad makes of it."""
    if ruling.ok:
        return Checked.OK
    return Checked.WAITING if ruling.reason == UNJUDGED else Checked.BLOCKED


@dataclass(frozen=True)
class CampaignRecord:
    """One campaign of one advertiser; an advertiser may have several.

    Attributes:
        category: what it sells, a snake_case word (`bls.guard.categories`); decides where the ad
            may not appear.
        bid: opening weight per token, in units of the blend.
        cpm_micros: what a thousand replies with the ad are worth; None takes the median.
        cpc_micros: what a response is worth; None takes the median.
        start_ts, end_ts: Unix seconds; `end_ts` None has no end.
        frequency_cap: most replies of one conversation that may carry it; None has no cap.
    """

    campaign_id: str
    advertiser: str
    brand: str
    category: str
    bid: float
    cpm_micros: int | None
    cpc_micros: int | None
    start_ts: int
    end_ts: int | None
    frequency_cap: int | None
    status: Status
    seq: int = 0

    def live(self, now: float) -> bool:
        """Active, and between its dates."""
        started = self.start_ts <= now
        return (
            self.status is Status.ACTIVE and started and (self.end_ts is None or now < self.end_ts)
        )


@dataclass(frozen=True)
class CreativeRecord:
    """One creative: what an advertiser's model is told.

    Attributes:
        msg_id: its name, chosen by who adds it; never used again once deleted.
        text: ad prompt, at most `LIMITS.ad_prompt_bytes`; empty once deleted.
        version: rises when the text changes; the guard's verdict and the embedding are of it.
        reason: why it is blocked.
        embedding: MiniLM's, f16 [384] of unit norm as bytes, before any axes; None until made.
        deleted: a tombstone: never to be chosen again, at once.
    """

    msg_id: str
    campaign_id: str
    advertiser: str
    text: str
    version: int
    checked: Checked
    reason: str
    embedding: bytes | None
    deleted: bool
    seq: int = 0


@dataclass(frozen=True)
class Funds:
    """What an advertiser may still spend now. `left_micros` None: it has no budget, so no limit."""

    left_micros: int | None
    end_ts: int | None

    @property
    def empty(self) -> bool:
        return self.left_micros is not None and self.left_micros <= 0


@dataclass(frozen=True)
class NewCreative:
    """A creative to be stored; its advertiser is its campaign's.

    Attributes:
        checked: what the guard said of this very text; WAITING when nobody has asked it.
    """

    msg_id: str
    campaign_id: str
    text: str
    checked: Checked = Checked.WAITING
    reason: str = ""
