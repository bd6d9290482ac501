# SPDX-License-Identifier: Apache-2.0
"""What the selection reads of the database, and the little it writes; `bls.ads.store` is the one.

Raises `SkynetError` `ads_unavailable` (503) from every method while the database cannot be read:
whoever asks then shows no ad.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bls.ads.records import CampaignRecord, CreativeRecord, Funds


class AdSource(Protocol):
    """Usable from several threads."""

    def campaigns(self, after: int = 0) -> Sequence[CampaignRecord]:
        """Campaigns whose `seq` is above `after`, lowest first."""

    def creatives(self, after: int = 0, limit: int = 10_000) -> Sequence[CreativeRecord]:
        """At most `limit` creatives whose `seq` is above `after`, lowest first, tombstones too."""

    def not_embedded(self, limit: int = 256) -> Sequence[CreativeRecord]:
        """Creatives that may be shown as soon as they have an embedding."""

    def put_embeddings(self, made: Mapping[tuple[str, int], NDArray[np.float32]]) -> int:
        """Store embeddings f32 [384] by (msg_id, version); how many were still wanted. Each gets a
        new `seq`."""

    def funds(self, advertisers: Sequence[str], now: float) -> Mapping[str, Funds]:
        """What each may still spend; read at most once in `LIMITS.funds_cache_s`. It may be more
        than is left: only a reservation is certain."""
