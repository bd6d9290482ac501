# SPDX-License-Identifier: Apache-2.0
"""Promotion, as Dagster loads it."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.promotion.assets import ASSETS
from pipelines_dagster.defs.promotion.sensors import SENSORS

DEFS = dg.Definitions(assets=ASSETS, sensors=SENSORS)
