# SPDX-License-Identifier: Apache-2.0
"""What the area `retention` adds to `pipelines_dagster/definitions.py`."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.retention.assets import retention

DEFS = dg.Definitions(assets=[retention])
