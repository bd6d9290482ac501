# SPDX-License-Identifier: Apache-2.0
"""Copies of training sets beside the lake: what was made or fetched here, what a training left.

A copy lives as long as its set in the lake has rows.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from pipelines_dagster.lake.files import open_files
from pipelines_dagster.settings import PipelineSettings

PLACE = "state/copies"
LAYER = "gold"
TRAINING = "training"
_ROOTS = (LAYER, "gold.cache")
SETTLED_S = 3_600.0
"""A younger copy may be on its way into the lake."""


def drop_copies(settings: PipelineSettings, older_s: float = 0.0) -> int:
    """Remove local copies, also half-made ones, of sets that have no rows in the lake; how many."""
    lake, state = settings.open_lake(), settings.serving.state
    live = {
        "/".join(file.path.split("/")[:3])
        for file in open_files(lake).find(LAYER)
        if file.path.endswith(".parquet")
    }
    own = None if lake.remote else (Path(lake.root) / LAYER).resolve()
    roots = [root for name in _ROOTS if (root := state / name).resolve() != own]
    gone = [
        folder
        for folder in _folders(roots)
        if f"{LAYER}/{folder.parent.name}/{folder.name}" not in live
        and time.time() - folder.stat().st_mtime >= older_s
    ]
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return len(gone)


def drop_trainings(settings: PipelineSettings) -> int:
    """Remove what trainings have written down of their rows; how many folders.

    One that runs fails and is done again.
    """
    root = settings.serving.state / TRAINING
    count = len(list(root.iterdir())) if root.is_dir() else 0
    shutil.rmtree(root, ignore_errors=True)
    return count


def _folders(roots: list[Path]) -> Iterator[Path]:
    for root in roots:
        yield from (path for path in root.glob("*/*") if path.is_dir())
