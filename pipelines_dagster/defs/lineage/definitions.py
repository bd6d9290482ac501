# SPDX-License-Identifier: Apache-2.0
"""What the area `lineage` adds to `pipelines_dagster/definitions.py`."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.lineage.assets import lineage_report

DEFS = dg.Definitions(assets=[lineage_report])
