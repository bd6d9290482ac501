# SPDX-License-Identifier: Apache-2.0
"""A database of many creatives whose embeddings lie in clusters, and contexts like them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bls.ads.records import CampaignRecord, Checked, NewCreative, Status
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


def fill(
    store: AdStore, middle: F32, count: int, rng: np.random.Generator, done: Callable[[int], None]
) -> None:
    """`count` creatives of 1,000 campaigns of 200 advertisers, judged and embedded."""
    for number in range(CAMPAIGNS):
        store.put_campaign(_campaign(number, rng))
    for start in range(0, count, _BATCH):
        numbers = range(start, min(start + _BATCH, count))
        given = [
            NewCreative(f"m{n}", f"c{n % CAMPAIGNS}", f"Ad number {n}.", Checked.OK)
            for n in numbers
        ]
        records = store.put_creatives(given)
        made = embeddings(middle, len(records), rng)
        store.put_embeddings(
            {(one.msg_id, one.version): row for one, row in zip(records, made, strict=True)}
        )
        done(numbers.stop)


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
