# SPDX-License-Identifier: Apache-2.0
"""An S3 server a module; a lake in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines_dagster.defs.ingest.testbed.s3 import KEYS, Store
from pipelines_dagster.lake.lake import Lake


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with pytest.MonkeyPatch.context() as patch, Store() as started:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        yield started


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))
