# SPDX-License-Identifier: Apache-2.0
"""Everything `dagster dev` loads: this page only merges what the areas below `defs/` define.

An area is a folder with a `definitions.py` whose `DEFS` has no resources; it joins by a line here
(imported as a module: Dagster takes the one `Definitions` it finds at this page's own level).
Jobs, schedules and freshness name assets by key, so an area that joins is scheduled at once.
"""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.billing import definitions as billing
from pipelines_dagster.defs.datasets import definitions as datasets
from pipelines_dagster.defs.index import definitions as index
from pipelines_dagster.defs.ingest import definitions as ingest
from pipelines_dagster.defs.lineage import definitions as lineage
from pipelines_dagster.defs.operations import definitions as operations
from pipelines_dagster.defs.operations.freshness import with_freshness
from pipelines_dagster.defs.promotion import definitions as promotion
from pipelines_dagster.defs.retention import definitions as retention
from pipelines_dagster.defs.training import definitions as training
from pipelines_dagster.resources import Pipelines

AREAS = (
    ingest.DEFS,
    datasets.DEFS,
    training.DEFS,
    promotion.DEFS,
    index.DEFS,
    retention.DEFS,
    lineage.DEFS,
    billing.DEFS,
    operations.DEFS,
)


def merged(*areas: dg.Definitions) -> dg.Definitions:
    """Areas, the resources every asset may take, and how old each asset may be."""
    resources = dg.Definitions(resources={"pipelines": Pipelines()})
    return with_freshness(dg.Definitions.merge(resources, *areas))


defs = merged(*AREAS)
