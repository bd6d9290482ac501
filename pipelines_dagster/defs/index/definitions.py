# SPDX-License-Identifier: Apache-2.0
"""The index, as Dagster loads it."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.index.assets import ASSETS, CHECKS

DEFS = dg.Definitions(assets=ASSETS, asset_checks=CHECKS)
