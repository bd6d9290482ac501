# SPDX-License-Identifier: Apache-2.0
"""An erasure that came between a batch's filter and its commit: what slipped in goes again.

The erasure may have read the table before the commit was there. Its tombstone is older than that,
so who commits looks at the tombstones once more.
"""

from __future__ import annotations

import polars as pl

from pipelines_dagster.defs.gdpr.predicate import literal
from pipelines_dagster.defs.gdpr.tombstones import Tombstones
from pipelines_dagster.lake.faults import guarded
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.lake.removal import forget_files

_ID = "event_id"


def strike_late(lake: Lake, table: str, rows: pl.DataFrame, seen: Tombstones) -> int:
    """Take back what of committed rows has been erased since; how many rows went.

    A row that only names an erased advertiser among others goes whole. May be done again.

    Args:
        seen: the tombstones that the rows were filtered by.

    Raises:
        SkynetError: `lake_unavailable`, `lake_conflict`.
    """
    now = Tombstones.load(lake)
    if now == seen or rows.is_empty():
        return 0
    kept = now.filter(table, rows)
    late = rows.join(kept, on=rows.columns, how="anti", nulls_equal=True)
    if late.is_empty():
        return 0
    ids = ", ".join(literal(one) for one in late[_ID].unique().sort())
    gone = lake.delete(table, f"{_ID} IN ({ids})")
    with guarded(table):
        forget_files(lake, table)
    return gone
