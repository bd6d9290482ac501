# SPDX-License-Identifier: Apache-2.0
"""What the area `ingest` adds to `pipelines_dagster/definitions.py`."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.ingest.assets import ingest
from pipelines_dagster.defs.ingest.checks import bronze_checks
from pipelines_dagster.defs.ingest.jobs import HOURLY, INGEST, bronze_upkeep
from pipelines_dagster.defs.ingest.sensors import kafka_lag

DEFS = dg.Definitions(
    assets=[ingest],
    asset_checks=[bronze_checks],
    jobs=[INGEST, bronze_upkeep],
    schedules=[HOURLY],
    sensors=[kafka_lag],
)
