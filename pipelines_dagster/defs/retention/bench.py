# SPDX-License-Identifier: Apache-2.0
"""`python -m pipelines_dagster.defs.retention.bench [--mb 4000] [--file-mb 64]`: bytes a second of
the bulk delete (ORC-C-06: 600 MB/s), on files that are really written; the disk decides."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from bls.settings import Settings
from pipelines_dagster.defs.retention.run import collect, plan
from pipelines_dagster.settings import PipelineSettings

_TABLE = "bronze/auction_bids"
_YOUNG = "2099-01-01"


def main() -> None:
    """Write old days, plan, collect, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mb", type=int, default=4_000)
    parser.add_argument("--file-mb", type=int, default=64)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = PipelineSettings(Settings(state=Path(folder)))
        days = [f"2020-01-{day:02d}" for day in range(1, 29)]
        settings.open_lake().append(_TABLE, pl.DataFrame({"a": 1, "dt": [*days, _YOUNG]}))
        root = Path(settings.lake_root) / _TABLE
        _fill(root, days, given.mb, given.file_mb)
        began = time.perf_counter()
        due = plan(settings, datetime.now(UTC).date())
        planned = time.perf_counter() - began
        done = collect(settings, due)
        print(f"plan: {len(due)} days, {sum(d.files for d in due)} files in {planned * 1e3:.1f} ms")
        print(f"collect: {done.size / 1e6:.0f} MB in {done.seconds:.3f} s: {done.mb_s:,.0f} MB/s")


def _fill(root: Path, days: list[str], total_mb: int, file_mb: int) -> None:
    content = os.urandom(file_mb * 1_000_000)
    for number in range(total_mb // file_mb):
        day = root / f"dt={days[number % len(days)]}"
        (day / f"part-{number:05d}.zstd.parquet").write_bytes(content)


if __name__ == "__main__":
    main()
