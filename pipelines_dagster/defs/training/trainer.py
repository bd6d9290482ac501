# SPDX-License-Identifier: Apache-2.0
"""What a trainer is: a job in, a version folder with its manifest out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.settings import PipelineSettings


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        dataset: gold folder; for a trainer that reads the lake itself, None.
        profile: `full` or `quick`.
        champions: folders of live versions that the trainer may need, by subsystem.
        live: live values of keys that it may start from, by key.
        out: an empty folder that is thrown away afterwards.
    """

    settings: PipelineSettings
    lake: Lake
    dataset: Path | None
    profile: str
    seed: int
    out: Path
    champions: Mapping[str, Path] = field(default_factory=dict)
    live: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """What came out. `folder` has a `manifest.json`; `params` is the configuration."""

    folder: Path
    metrics: Mapping[str, float]
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Trainer:
    """How one kind of version is made.

    Attributes:
        subsystem: of the version's name and of its key.
        run: raises `SkynetError` or `ExportError`; `nothing_better` and `no_data` change nothing.
        gold: name of its gold dataset; empty when it reads the lake.
        sla_s: a training that takes longer is told of (offline_orchestration 2.2).
    """

    subsystem: str
    run: Callable[[Job], Made]
    gold: str
    sla_s: float
