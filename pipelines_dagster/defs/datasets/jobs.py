# SPDX-License-Identifier: Apache-2.0
"""The job `datasets`: every silver table and both training sets, with their checks."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.datasets.assets import GROUP

DATASETS = dg.define_asset_job("datasets", selection=dg.AssetSelection.groups(GROUP))
