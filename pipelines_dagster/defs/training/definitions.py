# SPDX-License-Identifier: Apache-2.0
"""Training, as Dagster loads it."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.training.assets import ASSETS, CHECKS

DEFS = dg.Definitions(assets=ASSETS, asset_checks=CHECKS)
