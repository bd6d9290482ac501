# SPDX-License-Identifier: Apache-2.0
"""Campaigns and creatives in the database: what `bls.ads.source` promises, and the writes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Select, insert, select, update

from bls.ads import creatives as changes
from bls.ads import rows
from bls.ads.database import read, write
from bls.ads.funds import FundsCache
from bls.ads.records import CampaignRecord, Checked, CreativeRecord, Funds, NewCreative
from bls.ads.schema import campaigns, creatives
from bls.errors import SkynetError
from bls.limits import LIMITS

_MOST = 10_000
_ALIVE = ~creatives.c.deleted


class AdStore:
    """Thread-safe, and any number may share a database. Every method raises `ads_unavailable`
    (503) while it does not answer.

    Args:
        engine: of `bls.ads.database.open_database`, migrated.
        clock: seconds that never go back, for the cache of funds.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        funds_cache_s: float = LIMITS.funds_cache_s,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._funds = FundsCache(engine, funds_cache_s, clock)

    def campaigns(
        self, after: int = 0, limit: int | None = None, advertiser: str | None = None
    ) -> Sequence[CampaignRecord]:
        """Those whose `seq` is above `after`, lowest first; one advertiser's, where it is named."""
        query = select(campaigns).where(campaigns.c.seq > after).order_by(campaigns.c.seq)
        if advertiser is not None:
            query = query.where(campaigns.c.advertiser == advertiser)
        return self._campaigns(query.limit(limit))

    def campaign(self, campaign_id: str) -> CampaignRecord | None:
        """The campaign of that name."""
        one = self._campaigns(select(campaigns).where(campaigns.c.campaign_id == campaign_id))
        return one[0] if one else None

    def put_campaign(self, record: CampaignRecord) -> CampaignRecord:
        """Store it; `record.seq` is ignored. What was stored, with its `seq`.

        Raises:
            SkynetError: `campaign_taken` when another advertiser has one of that name.
        """
        return write(self._engine, lambda connection: put_campaign(connection, record))

    def creatives(self, after: int = 0, limit: int = _MOST) -> Sequence[CreativeRecord]:
        """At most `limit` whose `seq` is above `after`, lowest first, tombstones too."""
        return self._creatives(select(creatives).where(creatives.c.seq > after), limit)

    def creative(self, msg_id: str) -> CreativeRecord | None:
        """The creative of that name, or its tombstone."""
        found = read(self._engine, lambda connection: changes.found(connection, [msg_id]))
        return found.get(msg_id)

    def creatives_of(
        self, advertiser: str, after: int = 0, limit: int = 1_000
    ) -> Sequence[CreativeRecord]:
        """One advertiser's living ones whose `seq` is above `after`."""
        mine = select(creatives).where(
            creatives.c.advertiser == advertiser, _ALIVE, creatives.c.seq > after
        )
        return self._creatives(mine, limit)

    def put_creatives(self, given: Sequence[NewCreative]) -> list[CreativeRecord]:
        """Store all of them or none; the records, in their order.

        The same text keeps its version and, unless `checked` is known, its verdict. Another text
        is the next version: its verdict is the given one and its embedding is gone.

        Raises:
            SkynetError: `unknown_campaign` (404), `msg_taken`, `msg_deleted` (409),
                `duplicate_msg_id`, `bad_text` (400).
        """
        return write(self._engine, lambda connection: changes.put(connection, given))

    def judge(self, msg_id: str, version: int, checked: Checked, reason: str = "") -> bool:
        """Store the guard's verdict on a version; False when it is no longer wanted."""
        return self.judge_all([(msg_id, version, checked, reason)]) == 1

    def judge_all(self, judged: Sequence[tuple[str, int, Checked, str]]) -> int:
        """The same of several; how many changed something."""
        return write(self._engine, lambda connection: changes.judge(connection, judged))

    def delete_creative(self, msg_id: str) -> bool:
        """Leave a tombstone, its text and embedding gone; False when it was not there."""
        return write(self._engine, lambda connection: changes.delete(connection, msg_id))

    def to_judge(self, limit: int = 256) -> Sequence[CreativeRecord]:
        """Creatives that wait for the guard, oldest first."""
        waiting = creatives.c.checked == Checked.WAITING.value
        return self._creatives(select(creatives).where(_ALIVE, waiting), limit)

    def not_embedded(self, limit: int = 256, after: int = 0) -> Sequence[CreativeRecord]:
        """Creatives whose `seq` is above `after` and that may be shown as soon as they have an
        embedding, oldest first."""
        passed = creatives.c.checked == Checked.OK.value
        missing = passed & creatives.c.embedding.is_(None)
        wanted = select(creatives).where(_ALIVE, missing, creatives.c.seq > after)
        return self._creatives(wanted, limit)

    def put_embeddings(self, made: Mapping[tuple[str, int], NDArray[np.float32]]) -> int:
        """Store embeddings f32 [384] of unit norm by (msg_id, version); how many were wanted.

        Raises:
            SkynetError: `bad_embedding`.
        """
        return write(self._engine, lambda connection: changes.embed(connection, made))

    def funds(self, advertisers: Sequence[str], now: float) -> Mapping[str, Funds]:
        """What each may still spend; see `bls.ads.funds`."""
        return self._funds(advertisers, now)

    def _campaigns(self, query: Select[tuple[object, ...]]) -> list[CampaignRecord]:
        found = read(self._engine, lambda connection: connection.execute(query).all())
        return [rows.campaign_record(row) for row in found]

    def _creatives(self, query: Select[tuple[object, ...]], limit: int) -> list[CreativeRecord]:
        some = query.order_by(creatives.c.seq).limit(limit)
        found = read(self._engine, lambda connection: connection.execute(some).all())
        return [rows.creative_record(row) for row in found]


def put_campaign(connection: Connection, record: CampaignRecord) -> CampaignRecord:
    """`AdStore.put_campaign` within a transaction."""
    sequence = rows.Sequence(connection)
    named = campaigns.c.campaign_id == record.campaign_id
    row = connection.execute(select(campaigns).where(named)).one_or_none()
    before = rows.campaign_record(row) if row is not None else None
    if before is not None and before.advertiser != record.advertiser:
        raise SkynetError("campaign_taken", "Another advertiser has this campaign_id.", 409)
    if before is not None and before == dataclasses.replace(record, seq=before.seq):
        return before
    record = dataclasses.replace(record, seq=sequence.next())
    if before is None:
        connection.execute(insert(campaigns).values(rows.columns(record)))
    else:
        connection.execute(update(campaigns).where(named).values(rows.columns(record)))
    sequence.keep()
    return record
