# SPDX-License-Identifier: Apache-2.0
"""Everything `dagster dev` loads: this page only merges what the areas below `defs/` define."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.resources import Pipelines

AREAS: tuple[dg.Definitions, ...] = ()

defs = dg.Definitions.merge(dg.Definitions(resources={"pipelines": Pipelines()}), *AREAS)
