# SPDX-License-Identifier: Apache-2.0
"""DAGSTER_HOME of a local installation: SQLite, telemetry off, limits from `instance.yaml`."""

from __future__ import annotations

from pathlib import Path

from pipelines_dagster.settings import PipelineSettings

TEMPLATE = Path(__file__).with_name("instance.yaml")
CONFIG = "dagster.yaml"


def home_of(settings: PipelineSettings) -> Path:
    return settings.serving.state / "dagster"


def prepare(home: Path) -> Path:
    """Make the folder and its `dagster.yaml`; one that an operator has changed is kept."""
    home.mkdir(parents=True, exist_ok=True)
    config = home / CONFIG
    if not config.exists():
        config.write_bytes(TEMPLATE.read_bytes())
    return home
