# SPDX-License-Identifier: Apache-2.0
"""Gauges of the pipelines, `orch_*`, as Prometheus text files that a node exporter collects.

A pipeline's process is gone before anybody could scrape it, so it leaves a file a series.
"""

from __future__ import annotations

import os
from pathlib import Path

from pipelines_dagster.settings import PipelineSettings


def folder(settings: PipelineSettings) -> Path:
    """Where they are: `--collector.textfile.directory` of a node exporter."""
    return settings.serving.state / "metrics"


def gauge(into: Path, name: str, value: float, about: str) -> None:
    """Replace `<into>/<name>.prom` in one rename."""
    into.mkdir(parents=True, exist_ok=True)
    fresh = into / f".{name}.{os.getpid()}"
    fresh.write_text(f"# HELP {name} {about}\n# TYPE {name} gauge\n{name} {value:.15g}\n")
    fresh.replace(into / f"{name}.prom")
