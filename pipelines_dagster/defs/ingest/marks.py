# SPDX-License-Identifier: Apache-2.0
"""How far a topic is taken, as its table's own commits say it, and what that makes of new rows.

Two kinds of mark: the next offset of each partition of one Kafka cluster, and the highest `seq`
taken of each source in each partition, which holds whatever cluster the event comes through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from bls.events.topics import TOPICS


def offset_name(cluster: str, topic: str, partition: int) -> str:
    return f"{cluster}/{topic}:{partition}"


def seq_name(topic: str, partition: int, source: str) -> str:
    return f"{topic}:{partition}/{source}"


@dataclass(frozen=True)
class Fresh:
    """Rows not taken yet.

    Attributes:
        marks: the new `seq` marks, by name.
        duplicates: rows that were left out.
        disordered: rows whose `seq` fell within their source: a relay that broke its promise.
    """

    rows: pl.DataFrame
    marks: dict[str, int]
    duplicates: int
    disordered: int


_BY = ["kafka_partition", "source"]


def seq_names(topic: str, rows: pl.DataFrame) -> list[str]:
    """Names of the `seq` marks that decide about these rows."""
    pairs = rows.select(_BY).unique().sort(_BY)
    return [seq_name(topic, partition, source) for partition, source in pairs.iter_rows()]


def fresh(topic: str, rows: pl.DataFrame, marks: Mapping[str, int | None]) -> Fresh:
    """Rows above their source's mark, each once; a topic that is told again keeps every telling.

    `marks`: of all `seq_names`.
    """
    pairs = rows.select(_BY).unique()
    taken = [marks[seq_name(topic, *pair)] for pair in pairs.iter_rows()]
    known = pairs.with_columns(pl.Series("taken", taken, pl.Int64))
    above = pl.col("taken").is_null() | (pl.col("seq") > pl.col("taken"))
    kept = rows.join(known, on=_BY, how="left", maintain_order="left").filter(above).drop("taken")
    kept = _once(kept, [*_BY, "seq"])
    if not TOPICS[topic].retold:
        kept = _once(kept, ["event_id"])
    fell = kept.select((pl.col("seq").diff().over(_BY) < 0).sum()).item() or 0
    high = kept.group_by(_BY).agg(pl.col("seq").max()).sort(_BY)
    new = {seq_name(topic, partition, source): seq for partition, source, seq in high.iter_rows()}
    return Fresh(kept, new, len(rows) - len(kept), int(fell))


def _once(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    if rows.select(pl.struct(by).n_unique()).item() == len(rows):
        return rows
    return rows.unique(subset=by, keep="first", maintain_order=True)
