# SPDX-License-Identifier: Apache-2.0
"""What every asset is given: the settings of the process, read when a run begins."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.settings import PipelineSettings, load_pipeline_settings


class Pipelines(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The resource `pipelines`."""

    def settings(self) -> PipelineSettings:
        return load_pipeline_settings()

    def lake(self) -> Lake:
        return self.settings().open_lake()
