# SPDX-License-Identifier: Apache-2.0
"""More versions of the shipped models: the same graph, so the same answers, under another hash."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from bls.models.model_key import PREDICTOR
from bls.settings import REPOSITORY
from export.model_manifest import ModelManifest

_SHIPPED = REPOSITORY / "model_repository"


def another_version(models: Path, subsystem: str, version: str) -> Path:
    """`<models>/<subsystem>/<version>`, served like what ships."""
    name = "bid_predictor" if subsystem == PREDICTOR else subsystem
    folder = models / subsystem / version
    manifest = ModelManifest.load(_SHIPPED / name / "1", verify=False)
    folder.mkdir(parents=True)
    for file in manifest.files:
        shutil.copy(_SHIPPED / name / "1" / file, folder)
    dataclasses.replace(manifest, version=version).write(folder)
    return folder
