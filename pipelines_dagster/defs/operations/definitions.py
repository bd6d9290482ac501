# SPDX-License-Identifier: Apache-2.0
"""The area's definitions: jobs, schedules and sensors over the assets of all areas."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.operations.jobs import JOBS
from pipelines_dagster.defs.operations.schedules import SCHEDULES
from pipelines_dagster.defs.operations.sensors import SENSORS

DEFS = dg.Definitions(jobs=list(JOBS.values()), schedules=SCHEDULES, sensors=SENSORS)
