# SPDX-License-Identifier: Apache-2.0
"""A broker a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines_dagster.defs.ingest.ingest import Ingest
from pipelines_dagster.defs.ingest.testbed.broker import Broker
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.ingest.rig import QUICK


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Empty: it starts in a tenth of a second."""
    with Broker() as started:
        yield started


@pytest.fixture
def ingest(broker: Broker, lake: Lake, tmp_path: Path) -> Ingest:
    return Ingest(lake, broker.servers, limits=QUICK, ingested=tmp_path / "ingested.json")
