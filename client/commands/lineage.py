# SPDX-License-Identifier: Apache-2.0
"""`skynet lineage`: from a model back to the events it learned from."""

from __future__ import annotations

import json
from pathlib import Path

import click

from client.commands.extra import pipelines_extra
from client.palette import printable
from client.table import table


@click.command()
@click.argument("model")
@click.option("--json", "raw", is_flag=True, help="Print JSON.")
@click.option("--dot", "graphviz", is_flag=True, help="Print it for Graphviz.")
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Write a picture.")
def lineage(model: str, raw: bool, graphviz: bool, svg: Path | None) -> None:
    """Show what MODEL (a version, or the beginning of its SHA-256) was made of, back to Kafka.

    Exit code 1 if the way back has a gap.
    """
    with pipelines_extra():
        from pipelines_dagster.defs.lineage import picture, trace  # noqa: PLC0415
        from pipelines_dagster.settings import load_pipeline_settings  # noqa: PLC0415
    graph = trace.lineage(load_pipeline_settings(), model)
    if svg is not None:
        svg.write_text(picture.svg(graph), encoding="utf-8")
    if raw:
        click.echo(json.dumps(graph.as_json(), indent=2))
    elif graphviz:
        click.echo(picture.dot(graph), nl=False)
    else:
        rows = [
            (graph.nodes[a].label, kind.value, graph.nodes[b].label) for a, kind, b in graph.edges
        ]
        click.echo(printable(table(("from", "", "to"), rows)))
        for gap in graph.gaps:
            click.echo(f"GAP {gap.where}: {gap.why}")
        whole = "whole" if graph.whole else "NOT whole"
        click.echo(f"{whole}, {graph.depth} steps from the raw events")
    if not graph.whole:
        raise click.exceptions.Exit(1)
