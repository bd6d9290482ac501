# SPDX-License-Identifier: Apache-2.0
"""Tables of the lake, read and written whole commits at a time.

A Delta commit is one atomic step: the files, and with them what the writer wants remembered (how
far it read its source, what the rows were made of). A crash before it leaves nothing but files
that no reader sees; they go with the next `vacuum`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import TableNotFoundError

from bls.errors import SkynetError
from pipelines_dagster.lake.evolution import check_additive

ZSTD = 9
PARTITION = "dt"
"""UTC date of the event, `yyyy-mm-dd`: a string column, last in every partitioned table."""

_WRITER = WriterProperties(compression="ZSTD", compression_level=ZSTD)


@dataclass(frozen=True)
class Lake:
    """Tables below `root`, a folder or `s3://bucket/prefix`; a table's name is `layer/name`.

    Args:
        options: of the object store (endpoint, region, keys); never logged.
    """

    root: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def uri(self, table: str) -> str:
        return f"{self.root.rstrip('/')}/{table}"

    def open(self, table: str) -> DeltaTable | None:
        """The table as it is now; None before its first row."""
        try:
            return DeltaTable(self.uri(table), storage_options=dict(self.options))
        except TableNotFoundError:
            return None

    def append(
        self,
        table: str,
        rows: pl.DataFrame,
        *,
        progress: Mapping[str, int] | None = None,
        origin: Mapping[str, str] | None = None,
    ) -> int:
        """Add rows, partitioned by `dt` where they have it; the version of the commit.

        Args:
            progress: how far the writer is, by name: `progress_of` tells it after this commit.
            origin: what is written down of the commit; `history` shows it.

        Raises:
            SkynetError: `schema_violation` for a column that is gone or has another type.
        """
        return self._write(table, rows, "append", progress, origin)

    def replace(
        self, table: str, rows: pl.DataFrame, *, origin: Mapping[str, str] | None = None
    ) -> int:
        """Make these the table's rows; the version of the commit. Raises like `append`."""
        return self._write(table, rows, "overwrite", None, origin)

    def _write(
        self,
        table: str,
        rows: pl.DataFrame,
        mode: Any,
        progress: Mapping[str, int] | None,
        origin: Mapping[str, str] | None,
    ) -> int:
        found = self.open(table)
        if found is not None:
            check_additive(table, pl.scan_delta(found).collect_schema(), rows.schema)
        commit = CommitProperties(
            custom_metadata=dict(origin or {}),
            app_transactions=[Transaction(name, at) for name, at in (progress or {}).items()],
        )
        if not self.root.startswith("s3://"):
            Path(self.uri(table)).mkdir(parents=True, exist_ok=True)
        write_deltalake(
            self.uri(table),
            rows,
            mode=mode,
            schema_mode="merge",
            partition_by=[PARTITION] if PARTITION in rows.columns else None,
            writer_properties=_WRITER,
            commit_properties=commit,
            storage_options=dict(self.options),
        )
        done = self.open(table)
        assert done is not None
        return int(done.version())

    def scan(self, table: str, version: int | None = None) -> pl.LazyFrame:
        """The rows, now or as of a version. Raises `no_table`."""
        found = self.open(table)
        if found is None:
            raise SkynetError("no_table", f"The lake has no table {table}.", 404)
        return pl.scan_delta(found, version=version)

    def progress_of(self, table: str, name: str) -> int | None:
        """What the last commit that named it said; None when none did."""
        found = self.open(table)
        return None if found is None else found.transaction_version(name)
