# SPDX-License-Identifier: Apache-2.0
"""What a benchmark leaves: results.json, tables.md, figures.json, plot.svg; and a run in MLflow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines_dagster.phantom.bench import tables
from pipelines_dagster.phantom.bench.columns import Columns
from pipelines_dagster.phantom.bench.page import page
from pipelines_dagster.phantom.bench.plan import BenchPlan
from pipelines_dagster.phantom.bench.run import RESULTS, write_results
from pipelines_dagster.phantom.bench.work import Result

if TYPE_CHECKING:
    from pipelines_dagster.settings import PipelineSettings

TABLES, FIGURES, PLOT = "tables.md", "figures.json", "plot.svg"
EXPERIMENT = "phantom_bench"


def write_report(
    folder: Path, plan: BenchPlan, results: Sequence[Result]
) -> tuple[str, list[Path]]:
    """Write everything into `folder`; the tables, and the files."""
    from pipelines_dagster.phantom.bench.plots import draw  # noqa: PLC0415 (matplotlib)

    trail = write_results(folder, plan, list(results))
    columns = Columns(results)
    text = page(columns, trail)
    (folder / TABLES).write_text(text, encoding="utf-8")
    told = json.dumps({"trail": trail, "figures": tables.figures(columns)}, indent=1)
    (folder / FIGURES).write_text(told + "\n", encoding="utf-8")
    draw(columns, folder / PLOT)
    return text, [folder / name for name in (RESULTS, TABLES, FIGURES, PLOT)]


def log_report(
    settings: PipelineSettings, plan: BenchPlan, results: Sequence[Result], files: Sequence[Path]
) -> str:
    """As a run of the experiment `skynet/phantom_bench` of the settings' registry; the run's id.

    Raises:
        SkynetError: `registry_unreachable`.
    """
    from pipelines_dagster.registry.mlflow_registry import (  # noqa: PLC0415 (mlflow)
        RunRecord,
        open_registry,
    )

    trail = json.loads(files[0].read_text(encoding="utf-8"))["trail"]
    params: dict[str, Any] = {key: value for key, value in trail.items() if key != "market"}
    params |= {f"market.{key}": value for key, value in trail["market"].items()}
    record = RunRecord(params, _metrics(Columns(results)), {"git": trail["git"]})
    return open_registry(settings).log(EXPERIMENT, f"seeds {plan.seeds}", record, files)


def _metrics(columns: Columns) -> dict[str, float]:
    found: dict[str, float] = {}
    for tier, kind in columns.names:
        for figure in ("revenue", "objective", "margin", "coi_realised", "ux"):
            values = columns.figure((tier, kind), figure).mean(axis=0)
            for alpha, value in zip(columns.alphas, values, strict=True):
                found[f"{tier}.{kind}.{figure}.alpha_{alpha:g}"] = float(value)
    return found
