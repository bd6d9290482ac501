# SPDX-License-Identifier: Apache-2.0
"""What was erased stays out: Kafka keeps events for a day, and a relay may send them again.

Whoever writes rows into the lake calls `Tombstones.load(lake).filter(table, rows)` first. Ids are
kept as salted hashes. A conversation, a creative, a context never comes back; an advertiser may:
its tombstone takes what is older than the request.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from dataclasses import dataclass, field

import polars as pl

from pipelines_dagster.defs.gdpr.predicate import BLANK, Keys, shared
from pipelines_dagster.defs.gdpr.subject import Kind, Subject, hash_of
from pipelines_dagster.lake.faults import guarded
from pipelines_dagster.lake.lake import Lake

TABLE = "ops/tombstones"
SALT = "ops/gdpr_salt"
BILLING = ("bronze/auction_bids", "bronze/auction_vcg", "bronze/e2e_trace")
"""What proves and is charges: kept with `keep_billing`."""

_COLUMNS = {"kind": pl.String, "digest": pl.String, "at": pl.Float64, "keep_billing": pl.Boolean}


@dataclass(frozen=True)
class Tombstones:
    """digest -> (Unix seconds, keep_billing), by kind."""

    salt: str = ""
    held: dict[Kind, dict[str, tuple[float, bool]]] = field(default_factory=dict)

    @classmethod
    def load(cls, lake: Lake) -> Tombstones:
        """As they are now. Raises `lake_unavailable`."""
        if lake.open(TABLE) is None:
            return cls()
        held: defaultdict[Kind, dict[str, tuple[float, bool]]] = defaultdict(dict)
        kinds = {kind.title: kind for kind in Kind}
        with guarded(TABLE):
            found = lake.scan(TABLE).collect().select(list(_COLUMNS))
        for title, digest, at, keep in found.rows():
            before = held[kinds[title]].get(digest, (0.0, True))
            held[kinds[title]][digest] = (max(at, before[0]), keep and before[1])
        return cls(salt_of(lake), dict(held))

    def covers(self, kind: Kind, value: str, ts: float = 0.0, billing: bool = False) -> bool:
        """Whether what is of this id and time stays out."""
        found = self.held.get(kind, {}).get(hash_of(kind, value, self.salt))
        if found is None or (billing and found[1]):
            return False
        return kind is not Kind.ADV or ts <= found[0]

    def filter(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows that may be written: the erased ones dropped, names among others blanked.

        Costs nothing while there are no tombstones; then one hash a distinct id.
        """
        for kind in self.held:
            for column in kind.columns:
                if rows.schema.get(column) == pl.String:
                    rows = self._drop(kind, column, table, rows)
            if kind is Kind.ADV:
                rows = self._blank(table, rows)
        return rows

    def _drop(self, kind: Kind, column: str, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        until = self._until(kind, rows[column].unique().drop_nulls().to_list(), table)
        if not until:
            return rows
        limit = pl.col(column).replace_strict(until, default=None, return_dtype=pl.Float64)
        return rows.filter(limit.is_null() | (_ts(rows) > limit))

    def _blank(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        for name, until in self._until(Kind.ADV, _names(rows), table).items():
            part = shared(Keys(Subject(Kind.ADV, name)), rows.schema)
            if part is not None:
                late = _ts(rows) <= until
                rows = rows.with_columns(
                    pl.when(part[0] & late).then(one).otherwise(pl.col(one.meta.output_name()))
                    for one in part[1]
                )
        return rows

    def _until(self, kind: Kind, values: list[str], table: str) -> dict[str, float]:
        """value -> up to which time it stays out, of those that do."""
        held, found = self.held[kind], {}
        for value in values:
            entry = held.get(hash_of(kind, value, self.salt))
            if entry is not None and not (entry[1] and table in BILLING):
                found[value] = entry[0] if kind is Kind.ADV else float("inf")
        return found


def _ts(rows: pl.DataFrame) -> pl.Expr:
    """Without a time a row counts as old."""
    return pl.col("ts") if "ts" in rows.columns else pl.lit(0.0)


def _names(rows: pl.DataFrame) -> list[str]:
    found: set[str] = set()
    if rows.schema.get("advertisers") == pl.List(pl.String):
        found |= set(rows["advertisers"].explode().drop_nulls().to_list())
    if isinstance(getattr(rows.schema.get("lines"), "inner", None), pl.Struct):
        lines = rows["lines"].explode().drop_nulls()
        if "advertiser" in {f.name for f in getattr(lines.dtype, "fields", ())}:
            found |= set(lines.struct.field("advertiser").to_list())
    return sorted(found - {BLANK})


def put(lake: Lake, subject: Subject, keep_billing: bool) -> None:
    """From now on; again for the same subject makes it later, never twice."""
    digest = subject.digest(salt_of(lake))
    known = Tombstones.load(lake).held.get(subject.kind, {}).get(digest)
    if known is not None and known[1] == keep_billing and subject.kind is not Kind.ADV:
        return
    row = {
        "kind": subject.kind.title,
        "digest": digest,
        "at": time.time(),
        "keep_billing": keep_billing,
    }
    lake.append(TABLE, pl.DataFrame([row], schema=_COLUMNS))


def salt_of(lake: Lake) -> str:
    """The lake's own, drawn once; of two that were drawn at the same time the smaller counts."""
    if lake.open(SALT) is None:
        lake.append(SALT, pl.DataFrame({"salt": [secrets.token_hex(16)]}))
    with guarded(SALT):
        return str(lake.scan(SALT).select(pl.col("salt").min()).collect().item())
