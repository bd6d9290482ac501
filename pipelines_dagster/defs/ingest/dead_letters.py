# SPDX-License-Identifier: Apache-2.0
"""Messages that are no events, kept as they came, each once.

They are committed before the rows of their batch, with their own progress in their own table: a
crash between the two commits reads the batch again, and the letters below that progress are known.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipelines_dagster.defs.ingest.decode import Batch
from pipelines_dagster.lake.layout import PARTITION

TABLE = "bronze/dead_letters"
SCHEMA = pl.Schema(
    {
        "cluster": pl.String(),
        "topic": pl.String(),
        "kafka_partition": pl.Int32(),
        "kafka_offset": pl.Int64(),
        "ts": pl.Float64(),
        "reason": pl.String(),
        "raw": pl.Binary(),
        PARTITION: pl.String(),
    }
)


def letters(cluster: str, batch: Batch, bad: Mapping[int, str]) -> pl.DataFrame:
    """The bad messages of a batch as rows; `ts` is Kafka's."""
    places = list(bad)
    rows = pl.DataFrame(
        {
            "cluster": [cluster] * len(places),
            "topic": [batch.topic] * len(places),
            "kafka_partition": batch.partitions[places],
            "kafka_offset": batch.offsets[places],
            "ts": batch.times[places].clip(0) / 1000,
            "reason": list(bad.values()),
            "raw": [batch.values[at] for at in places],
        },
        schema_overrides={"raw": pl.Binary},
    )
    day = (pl.col("ts") / 86_400).floor().cast(pl.Int32).cast(pl.Date).cast(pl.String)
    return rows.with_columns(day.alias(PARTITION)).select(SCHEMA.names()).cast(SCHEMA)


def unseen(rows: pl.DataFrame, marks: Mapping[int, int | None]) -> pl.DataFrame:
    """Letters at or past the next offset of their partition. `marks`: of every partition."""
    known = pl.DataFrame(
        {"kafka_partition": list(marks), "next": [at or 0 for at in marks.values()]},
        schema={"kafka_partition": pl.Int32, "next": pl.Int64},
    )
    joined = rows.join(known, on="kafka_partition", how="left", maintain_order="left")
    return joined.filter(pl.col("kafka_offset") >= pl.col("next")).drop("next")
