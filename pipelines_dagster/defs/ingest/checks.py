# SPDX-License-Identifier: Apache-2.0
"""Asset checks of the bronze tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import dagster as dg

from bls.events.topics import TOPICS
from pipelines_dagster.defs.ingest.assets import key
from pipelines_dagster.defs.ingest.verify import gap_fault, repeat_fault, schema_fault
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.resources import Pipelines

Fault = Callable[[Lake, str], str | None]

CHECKS: dict[str, Fault] = {
    "bronze_schema": schema_fault,
    "no_gap": gap_fault,
    "unique": repeat_fault,
}
SPECS = [
    dg.AssetCheckSpec(name, asset=key(topic), description=check.__doc__)
    for topic in TOPICS.values()
    for name, check in CHECKS.items()
]


@dg.multi_asset_check(specs=SPECS, name="bronze_checks")
def bronze_checks(pipelines: Pipelines) -> Iterator[dg.AssetCheckResult]:
    lake = pipelines.lake()
    for topic in TOPICS.values():
        for name, check in CHECKS.items():
            fault = check(lake, topic.name)
            yield dg.AssetCheckResult(
                check_name=name,
                asset_key=key(topic),
                passed=fault is None,
                severity=dg.AssetCheckSeverity.ERROR,
                metadata={"fault": fault} if fault else {},
            )
