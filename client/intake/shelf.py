# SPDX-License-Identifier: Apache-2.0
"""The database as an import uses it: many rows in one transaction.

A dry run reads it where it exists, and writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from bls.ads import creatives as changes
from bls.ads import plans
from bls.ads.database import read, write
from bls.ads.records import CampaignRecord, CreativeRecord, NewCreative
from bls.ads.store import AdStore, put_campaign
from bls.errors import SkynetError


class Shelf:
    """Creatives and campaigns of one database. Raises `ads_unavailable`."""

    def __init__(self, engine: Engine) -> None:
        self.store = AdStore(engine)
        self._engine = engine
        self._owners: dict[str, str] | None = None

    def found(self, names: Sequence[str]) -> Mapping[str, CreativeRecord]:
        """Those of these names that exist, tombstones too."""
        return read(self._engine, lambda connection: changes.found(connection, names))

    def owners(self) -> Mapping[str, str]:
        """Whose each campaign is, by its name."""
        if self._owners is None:
            known = self.store.campaigns()
            self._owners = {record.campaign_id: record.advertiser for record in known}
        return self._owners

    def add_campaigns(
        self,
        records: Sequence[CampaignRecord],
        advertisers: Iterable[str],
        daily_micros: int | None = None,
    ) -> None:
        """Make them, in one transaction; those of `advertisers` without a budget get
        `daily_micros`, whether a campaign of theirs is new or not."""
        names = set(advertisers) if daily_micros is not None else set()

        def work(connection: Connection) -> None:
            for record in records:
                put_campaign(connection, record)
            for name in sorted(names - plans.funded(connection, names)):
                plans.set_daily(connection, name, daily_micros or 0, time.time())

        if records or names:
            write(self._engine, work)
        made = {one.campaign_id: one.advertiser for one in records}
        self._owners = {**self.owners(), **made}

    def put(self, given: Sequence[NewCreative]) -> list[CreativeRecord | SkynetError]:
        """Store them: all at once, or, where one is refused, one by one."""
        try:
            return list(self.store.put_creatives(given))
        except SkynetError as fault:
            if len(given) == 1 and fault.status < 500:
                return [fault]
            if fault.status >= 500:
                raise
        return [self.put([one])[0] for one in given]

    def embed(self, made: Mapping[tuple[str, int], NDArray[np.float32]]) -> int:
        """Store embeddings; how many were wanted."""
        return self.store.put_embeddings(made) if made else 0
