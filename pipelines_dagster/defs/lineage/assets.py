# SPDX-License-Identifier: Apache-2.0
"""The asset `ops/lineage`: the way back of every live model, checked and drawn."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.lineage.picture import mermaid
from pipelines_dagster.defs.lineage.report import write_report
from pipelines_dagster.defs.lineage.trace import lineage, newest
from pipelines_dagster.resources import Pipelines


@dg.asset(key=["ops", "lineage"], group_name="ops")
def lineage_report(pipelines: Pipelines) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """`lineage_integrity.report`: every live version back to Kafka offsets, and every gap."""
    settings = pipelines.settings()
    graphs = {version: lineage(settings, version) for version in newest(settings.open_lake())}
    write_report(settings, graphs)
    pictures = "\n".join(f"### {version}\n{mermaid(graph)}" for version, graph in graphs.items())
    return dg.MaterializeResult(
        metadata={
            "picture": dg.MetadataValue.md(pictures or "no model was promoted yet"),
            "models": len(graphs),
            "gaps": sum(len(graph.gaps) for graph in graphs.values()),
            "whole": all(graph.whole for graph in graphs.values()),
        }
    )
