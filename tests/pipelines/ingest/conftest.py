# SPDX-License-Identifier: Apache-2.0
"""One broker and one S3 server a module; lakes in folders of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines_dagster.defs.ingest.testbed.broker import Broker
from pipelines_dagster.defs.ingest.testbed.s3 import KEYS, Store
from pipelines_dagster.lake.lake import Lake


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Empty: it starts in a tenth of a second."""
    with Broker() as started:
        yield started


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with pytest.MonkeyPatch.context() as patch, Store() as started:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        yield started


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))
