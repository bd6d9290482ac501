# SPDX-License-Identifier: Apache-2.0
"""One filled lake that tests only read."""

from __future__ import annotations

import pytest

from pipelines_dagster.defs.datasets.tables import refresh_all
from pipelines_dagster.defs.market.as_events import Streams
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.datasets.rig import MIDNIGHT, encode, lake_of, traffic


@pytest.fixture(scope="session")
def streams() -> Streams:
    """Forty conversations around midnight."""
    return traffic(start=MIDNIGHT - 1_200)


@pytest.fixture(scope="session")
def lake(streams: Streams, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Bronze and silver. Not to be written."""
    made = lake_of(tmp_path_factory.mktemp("datasets"), streams)
    refresh_all(made, encode=encode)
    return made
