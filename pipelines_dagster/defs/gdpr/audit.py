# SPDX-License-Identifier: Apache-2.0
"""What an erasure did, place by place, and what was found of the subject afterwards: nothing.

`ops/gdpr_audit` in the lake, and the stream `gdpr.audit`. Neither names the subject: the salted
hash tells somebody who has the id that it was erased, and nobody else anything.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from pipelines_dagster.lake.lake import Lake

TABLE = "ops/gdpr_audit"
STREAM = "gdpr.audit"

_COLUMNS = {
    "request": pl.String,
    "kind": pl.String,
    "digest": pl.String,
    "place": pl.String,
    "removed": pl.Int64,
    "blanked": pl.Int64,
    "files": pl.Int64,
    "before": pl.Int64,
    "after": pl.Int64,
    "scanned": pl.Int64,
    "found": pl.Int64,
    "kept": pl.Boolean,
    "note": pl.String,
    "at": pl.Float64,
}


@dataclass(frozen=True)
class Step:
    """One place.

    Attributes:
        place: `bronze/auction_bids`, `ledger`, `logs`, `redis`, `kafka/auction.bids`, ...
        removed, blanked: rows, lines or keys.
        files: rewritten or removed.
        before, after: versions of the table; -1 elsewhere.
        scanned: files read for the proof; found: rows of the subject in them, 0 when it is gone.
        kept: left on purpose (`keep_billing`).
        note: what there is to say of it, never the id.
    """

    place: str
    removed: int = 0
    blanked: int = 0
    files: int = 0
    before: int = -1
    after: int = -1
    scanned: int = 0
    found: int = 0
    kept: bool = False
    note: str = ""


def record(lake: Lake, number: str, kind: str, digest: str, steps: Sequence[Step]) -> None:
    """Append the steps."""
    same = {"request": number, "kind": kind, "digest": digest, "at": time.time()}
    lake.append(TABLE, pl.DataFrame([same | asdict(one) for one in steps], schema=_COLUMNS))


def of_request(lake: Lake, number: str) -> list[dict[str, Any]]:
    """What was recorded of a request, oldest first."""
    if lake.open(TABLE) is None:
        return []
    rows = lake.scan(TABLE).filter(pl.col("request") == number)
    return rows.sort("at", "place").collect().to_dicts()
