# SPDX-License-Identifier: Apache-2.0
"""Tables of the lake, read and written whole commits at a time.

A Delta commit is one atomic step: the files, and with them what the writer wants remembered (how
far it read its source, what the rows were made of). A crash before it leaves nothing but files
that no reader sees; they go with the next `vacuum`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import TableNotFoundError

from bls.errors import SkynetError
from pipelines_dagster.lake import erase, maintenance, origins
from pipelines_dagster.lake.evolution import check_additive
from pipelines_dagster.lake.faults import guarded, insist
from pipelines_dagster.lake.layout import PARTITION, ZSTD, check_days, create, schema_of, writer
from pipelines_dagster.lake.maintenance import Compaction, Vacuum
from pipelines_dagster.lake.origins import Origin

__all__ = ["PARTITION", "ZSTD", "Lake"]

_PATIENCE = {
    "max_retries": "2",
    "retry_timeout": "10s",
    "timeout": "30s",
    "connect_timeout": "3s",
    "backoff_config.init_backoff": "50ms",
}
"""Of one call to an object store: whoever writes retries on a larger scale, and can count it."""


@dataclass(frozen=True)
class Lake:
    """Tables below `root`, a folder or `s3://bucket/prefix`; a table's name is `layer/name`.

    Args:
        options: of the object store (endpoint, region); never logged. Keys come from `AWS_*`.

    Whatever asks the store raises `lake_unavailable` when it does not answer, without its words.
    """

    root: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def remote(self) -> bool:
        """Whether it is in an object store."""
        return "://" in self.root

    def uri(self, table: str) -> str:
        return f"{self.root.rstrip('/')}/{table}"

    def open(self, table: str) -> DeltaTable | None:
        """The table as it is now; None before its first row."""
        with guarded(table):
            return self._found(table, self.options)

    def append(
        self,
        table: str,
        rows: pl.DataFrame,
        *,
        progress: Mapping[str, int] | None = None,
        after: Mapping[str, int | None] | None = None,
        origin: Mapping[str, str] | None = None,
    ) -> int:
        """Add rows, partitioned by `dt` where they have it; the version of the commit.

        Args:
            progress: how far the writer is, by name: `progress_of` tells it after this commit.
            after: the progress the rows were made for; the commit is refused if it moved since.
            origin: what is written down of the commit; `origins` shows it.

        Raises:
            SkynetError: `schema_violation` for a column that is gone or has another type,
                `progress_moved` when another writer named the same progress meanwhile.
        """
        with guarded(table):
            found = self._writable(table, rows)
            for name, at in (after or {}).items():
                if found.transaction_version(name) != at:
                    raise _moved(table)
            schema = self._checked(table, found, rows)
        with guarded(table, conflict=_moved(table) if progress else None):
            write_deltalake(
                found,
                rows,
                mode="append",
                schema_mode="merge" if schema else None,
                writer_properties=writer(rows.schema),
                commit_properties=_commit(progress, origin),
            )
            return int(found.version())

    def replace(
        self, table: str, rows: pl.DataFrame, *, origin: Mapping[str, str] | None = None
    ) -> int:
        """Make these the table's rows; the version of the commit. Raises like `append`."""

        def overwrite() -> int:
            found = self._writable(table, rows)
            self._checked(table, found, rows)
            write_deltalake(
                found,
                rows,
                mode="overwrite",
                schema_mode="merge",
                writer_properties=writer(rows.schema),
                commit_properties=_commit(None, origin),
            )
            return int(found.version())

        return insist(table, overwrite)

    def create(self, table: str, schema: pl.Schema) -> None:
        """Make the table, empty, where there is none."""
        with guarded(table):
            self._writable(table, pl.DataFrame(schema=schema))

    def scan(self, table: str, version: int | None = None) -> pl.LazyFrame:
        """The rows, now or as of a version. Raises `no_table`, `no_version`."""
        found = self._existing(table)
        if version is not None and not 0 <= version <= found.version():
            raise SkynetError("no_version", f"{table} has no version {version}.", 404)
        if version is not None:
            with guarded(table):
                found.load_as_version(version)
        return pl.scan_delta(found)

    def progress_of(self, table: str, name: str) -> int | None:
        """What the last commit that named it said; None when none did."""
        found = self.open(table)
        return None if found is None else found.transaction_version(name)

    def progress(self, table: str, names: list[str]) -> dict[str, int | None]:
        """`progress_of` for many names, of one state of the table."""
        with guarded(table):
            found = self._found(table, self._insisting)
        return {name: found.transaction_version(name) if found else None for name in names}

    def origins(self, table: str, last: int | None = None) -> list[Origin]:
        """What every commit (the `last` ones) said of itself, oldest first. Raises `no_table`."""
        with guarded(table):
            return origins.origins(self._existing(table), last)

    def compact(self, table: str, day: date | None = None) -> Compaction:
        """Make the small files of a day (of every day) one. Raises `no_table`."""
        return insist(table, lambda: maintenance.compact(self._existing(table), day))

    def vacuum(self, table: str, retention_h: int = 168, orphans_h: int = 1) -> Vacuum:
        """Remove files that no version of the last `retention_h` hours has, and orphans.

        Args:
            orphans_h: hours after which a file that no commit ever named is one of a writer that
                died; a younger one may be of a commit that is being made. At least 1.
        """
        return insist(
            table, lambda: maintenance.vacuum(self._existing(table), retention_h, orphans_h)
        )

    def drop_partitions(self, table: str, before: date) -> list[str]:
        """Days before `before` leave the table, without a row being read; the days dropped.

        Their files go with the next `vacuum`.
        """
        return insist(table, lambda: maintenance.drop_partitions(self._existing(table), before))

    def delete(self, table: str, predicate: str) -> int:
        """Rows for which the SQL predicate holds leave the table; how many did.

        The predicate may name a person, so it is never written to the table's log. The bytes are
        gone after `vacuum(table, 0)`, which `residue` proves.
        """
        gone = 0
        for day in insist(table, lambda: erase.days_of(self._existing(table), predicate)):
            gone += insist(table, partial(self._erase, table, day, predicate))
        return gone

    def residue(self, table: str, predicate: str) -> list[str]:
        """Parquet files of the table, in use or not, that hold a row for which it holds."""
        with guarded(table):
            return erase.residue(self._existing(table), self.uri(table), self.options, predicate)

    def _erase(self, table: str, day: str | None, predicate: str) -> int:
        return erase.rewrite(self._existing(table), day, predicate)

    @property
    def _insisting(self) -> dict[str, str]:
        return {**self.options, **_PATIENCE} if self.remote else {}

    def _found(self, table: str, options: Mapping[str, str]) -> DeltaTable | None:
        try:
            return DeltaTable(self.uri(table), storage_options=dict(options))
        except TableNotFoundError:
            return None

    def _existing(self, table: str) -> DeltaTable:
        found = self.open(table)
        if found is None:
            raise SkynetError("no_table", f"The lake has no table {table}.", 404)
        return found

    def _writable(self, table: str, rows: pl.DataFrame) -> DeltaTable:
        found = self._found(table, self._insisting)
        if found is None:
            if not self.remote:
                Path(self.uri(table)).mkdir(parents=True, exist_ok=True)
            create(self.uri(table), rows.schema, self._insisting)
            found = self._found(table, self._insisting)
            assert found is not None
        return found

    def _checked(self, table: str, found: DeltaTable, rows: pl.DataFrame) -> bool:
        """Whether the rows bring new columns. Raises `schema_violation`."""
        check_days(rows)
        old = schema_of(found)
        check_additive(table, old, rows.schema)
        return len(rows.schema) > len(old)


def _commit(
    progress: Mapping[str, int] | None, origin: Mapping[str, str] | None
) -> CommitProperties:
    return CommitProperties(
        custom_metadata=dict(origin or {}),
        app_transactions=[Transaction(name, at) for name, at in (progress or {}).items()],
    )


def _moved(table: str) -> SkynetError:
    return SkynetError("progress_moved", f"Another writer of {table} was first.", 409)
