# SPDX-License-Identifier: Apache-2.0
"""What a campaign's ad is worth: v = CPM/1000 + CPC, in whole micro-dollars.

What is missing is the median of what the advertiser's other campaigns say, else the platform's
median, else nothing; every value that had to be filled in is named, for the warning.
Source: max_reward_optimizer 3.3; corrections (max-reward optimiser) 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bls.ads.records import CampaignRecord

CAP_QUANTILE = 0.95
"""Of the values of all live creatives: what counts as 1 for the mixer."""

PER_MILLE = 1_000

I64 = NDArray[np.int64]
Micros = int | None
Field = Callable[[CampaignRecord], Micros]


@dataclass(frozen=True)
class Values:
    """Attributes:
    micros: v by campaign.
    filled: campaigns whose CPM or CPC is somebody else's median.
    """

    micros: Mapping[str, int]
    filled: frozenset[str]


def values(campaigns: Iterable[CampaignRecord]) -> Values:
    """What each campaign's ad is worth."""
    known = list(campaigns)
    cpm, cpc = Medians(known, lambda c: c.cpm_micros), Medians(known, lambda c: c.cpc_micros)
    micros = {c.campaign_id: round(cpm.of(c) / PER_MILLE + cpc.of(c)) for c in known}
    missing = (c for c in known if c.cpm_micros is None or c.cpc_micros is None)
    return Values(micros, frozenset(c.campaign_id for c in missing))


class Medians:
    """One field of all campaigns, with medians where it is missing."""

    def __init__(self, campaigns: Iterable[CampaignRecord], field: Field) -> None:
        self._field = field
        told: dict[str, list[int]] = {}
        for campaign in campaigns:
            if (value := field(campaign)) is not None:
                told.setdefault(campaign.advertiser, []).append(value)
        self._own = {advertiser: median(found) for advertiser, found in told.items()}
        everybody = [value for found in told.values() for value in found]
        self._all = median(everybody) if everybody else 0

    def of(self, campaign: CampaignRecord) -> float:
        """Micro-dollars."""
        value = self._field(campaign)
        return self._own.get(campaign.advertiser, self._all) if value is None else value


def running_cap(micros: I64, creatives: I64) -> float:
    """The value that counts as 1, from those of the live creatives; 1 when all are worthless.

    A quantile that exists among them, so a few dear creatives do not make all others alike.

    Args:
        micros: i64 [c], v of each campaign.
        creatives: i64 [c], how many live creatives each has.
    """
    order = np.argsort(micros, kind="stable")
    reached = np.cumsum(creatives[order])
    if not len(reached) or not reached[-1]:
        return 1.0
    place = int(np.searchsorted(reached, CAP_QUANTILE * reached[-1]))
    return max(1.0, float(micros[order][place]))


def scaled(micros: I64, cap: float) -> NDArray[np.float32]:
    """val f32 [n] in [0, 1]."""
    val: NDArray[np.float32] = np.minimum(micros / cap, 1.0).astype(np.float32)
    return val
