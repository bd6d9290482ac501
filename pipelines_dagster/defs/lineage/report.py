# SPDX-License-Identifier: Apache-2.0
"""`lineage_integrity.report`: a line a model, in the log folder."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines_dagster.defs.lineage.graph import Graph
from pipelines_dagster.notify.streams import Streams
from pipelines_dagster.settings import PipelineSettings

STREAM = "lineage_integrity.report"


def write_report(settings: PipelineSettings, graphs: Mapping[str, Graph]) -> None:
    """Whether each model's way back is whole, and where it is not."""
    streams = Streams(settings.serving.logs)
    for version, graph in graphs.items():
        gaps = [vars(gap) for gap in graph.gaps]
        streams.write(STREAM, version=version, depth=graph.depth, whole=graph.whole, gaps=gaps)
