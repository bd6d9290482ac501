# SPDX-License-Identifier: Apache-2.0
"""A database of many creatives whose embeddings lie in clusters, and contexts like them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, insert

from bls.ads import rows
from bls.ads.database import write
from bls.ads.records import CampaignRecord, Checked, CreativeRecord, Status
from bls.ads.schema import creatives
from bls.ads.store import AdStore

F32 = NDArray[np.float32]

WIDTH = 384
CLUSTERS = 256
ADVERTISERS = 200
CAMPAIGNS = 1_000
_BATCH = 2_000
_SPREAD = 0.8


def embeddings(centres: F32, count: int, rng: np.random.Generator) -> F32:
    """Unit vectors f32 [count, 384] around centres f32 [c, 384]."""
    noise = rng.normal(size=(count, WIDTH)).astype(np.float32) / np.sqrt(WIDTH)
    return _unit(centres[rng.integers(0, len(centres), count)] + _SPREAD * noise)


def centres(rng: np.random.Generator) -> F32:
    """Unit vectors f32 [256, 384]."""
    return _unit(rng.normal(size=(CLUSTERS, WIDTH)).astype(np.float32))


def _unit(vectors: F32) -> F32:
    made: F32 = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return made


def fill(engine: Engine, middle: F32, count: int, rng: np.random.Generator) -> None:
    """`count` creatives of 1,000 campaigns of 200 advertisers, judged and embedded, as rows."""
    store = AdStore(engine)
    for number in range(CAMPAIGNS):
        store.put_campaign(_campaign(number, rng))
    for start in range(0, count, _BATCH):
        numbers = range(start, min(start + _BATCH, count))
        made = embeddings(middle, len(numbers), rng).astype("<f2")

        def work(
            connection: Connection, numbers: range = numbers, made: NDArray[np.float16] = made
        ) -> None:
            sequence = rows.Sequence(connection)
            records = [
                rows.columns(_creative(number, vector.tobytes(), sequence.next()))
                for number, vector in zip(numbers, made, strict=True)
            ]
            connection.execute(insert(creatives), records)
            sequence.keep()

        write(engine, work)


def _creative(number: int, embedding: bytes, seq: int) -> CreativeRecord:
    campaign, owner = number % CAMPAIGNS, number % CAMPAIGNS % ADVERTISERS
    return CreativeRecord(
        msg_id=f"m{number}",
        campaign_id=f"c{campaign}",
        advertiser=f"adv{owner}",
        text=f"Ad number {number}.",
        version=1,
        checked=Checked.OK,
        reason="",
        embedding=embedding,
        deleted=False,
        seq=seq,
    )


def _campaign(number: int, rng: np.random.Generator) -> CampaignRecord:
    owner = f"adv{number % ADVERTISERS}"
    cpm, cpc = (int(value) for value in rng.lognormal((15, 12), 0.8))
    return CampaignRecord(
        campaign_id=f"c{number}",
        advertiser=owner,
        brand=owner.title(),
        category="shopping",
        bid=0.5,
        cpm_micros=cpm,
        cpc_micros=cpc,
        start_ts=0,
        end_ts=None,
        frequency_cap=None,
        status=Status.ACTIVE,
    )
