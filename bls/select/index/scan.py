# SPDX-License-Identifier: Apache-2.0
"""The database read from the beginning, as rows and axis vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bls.ads.records import CreativeRecord
from bls.ads.source import AdSource
from bls.brain.context import axes
from bls.contracts import CTX
from bls.select.index import build
from bls.select.index.flat import Flat
from bls.select.index.ivfpq import IvfPq
from bls.select.index.live import LiveGeneration, embedding
from bls.select.index.main import MainIndex
from bls.select.index.params import FLAT_MOST, IvfPqParams, codable
from bls.select.index.protocol import F32
from bls.select.index.rows import Rows, choosable

_PAGE = 2_000


def pages(source: AdSource, after: int = 0) -> Iterator[Sequence[CreativeRecord]]:
    """Every creative that changed since `after`, lowest `seq` first. Raises `ads_unavailable`."""
    while page := source.creatives(after=after, limit=_PAGE):
        yield page
        after = page[-1].seq


def projected(records: Sequence[CreativeRecord], p_k: F32) -> F32:
    """Axis vectors f32 [n, 128] of records that have embeddings."""
    if not records:
        return np.empty((0, CTX), np.float32)
    return axes.project(p_k, np.stack([embedding(record) for record in records]))


def kind_of(setting: str, rows: int) -> str:
    """`flat` or `ivfpq`, for the setting `index`; codes cannot be learnt from a few rows."""
    wanted = rows > FLAT_MOST if setting == "auto" else setting == "ivfpq"
    return "ivfpq" if wanted and codable(rows) else "flat"


def main_of(vectors: F32, setting: str, seed: int = 0, threads: int = 1) -> MainIndex:
    """An index of f32 [n, 128] in memory, as the setting asks."""
    if kind_of(setting, len(vectors)) == "flat":
        return Flat(vectors)
    params = IvfPqParams.of(len(vectors))
    index, _ = build.built(vectors, params, seed, threads)
    return IvfPq(index, vectors.astype(np.float16), params)


def from_database(
    source: AdSource,
    p_k: F32,
    served: int,
    setting: str,
    *,
    barred: frozenset[str] = frozenset(),
    version: str = "",
) -> LiveGeneration:
    """A generation of all creatives that may be chosen now. Raises `ads_unavailable`.

    Args:
        served: number of the axes version that `p_k` is.
        barred: ids that are left out whatever the database says.
    """
    rows, parts, seq = Rows(), [np.empty((0, CTX), np.float32)], 0
    for page in pages(source):
        fresh = []
        for record in page:
            if record.msg_id in barred or not choosable(record):
                rows.kill(record.msg_id)
            elif (row := rows.same(record)) is not None:
                rows.update(row, record)
            else:
                rows.add(record)
                fresh.append(record)
        parts.append(projected(fresh, p_k))
        seq = page[-1].seq
    main = main_of(np.concatenate(parts), setting)
    return LiveGeneration(main, rows, p_k, axes=served, version=version or main.kind, seq=seq)
