# SPDX-License-Identifier: Apache-2.0
"""What the area `billing` adds to `pipelines_dagster/definitions.py`."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.billing.assets import invoices, nothing_held

DEFS = dg.Definitions(assets=[invoices], asset_checks=[nothing_held])
