# SPDX-License-Identifier: Apache-2.0
"""What the area `datasets` adds to `pipelines_dagster/definitions.py`."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.datasets.asset_checks import CHECKS
from pipelines_dagster.defs.datasets.assets import ASSETS
from pipelines_dagster.defs.datasets.jobs import DATASETS

DEFS = dg.Definitions(assets=ASSETS, asset_checks=CHECKS, jobs=[DATASETS])
