# SPDX-License-Identifier: Apache-2.0
"""Versions that are a few numbers: `value.json` and its manifest, kept like any other version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bls.errors import SkynetError
from export.model_manifest import ModelManifest, hash_files

VALUE = "value.json"


def write_value(
    folder: Path,
    name: str,
    value: Mapping[str, Any],
    *,
    metrics: Mapping[str, float],
    origin: str,
    seed: int,
) -> Path:
    """Write `value` as a version. `origin`: SHA-256 that names what it was made from."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / VALUE).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")
    ModelManifest(
        name=name,
        version="1",
        files=hash_files(folder, [VALUE]),
        inputs={},
        outputs={},
        metrics=dict(metrics),
        dataset_sha256=origin,
        seed=seed,
        created_by=f"models/{name}",
    ).write(folder)
    return folder


def read_value(folder: Path) -> dict[str, Any]:
    """The value of a version whose files were checked. Raises `bad_artefact`."""
    try:
        value = json.loads((folder / VALUE).read_text())
    except (OSError, ValueError):
        raise SkynetError("bad_artefact", "The version has no readable value.", 409) from None
    if not isinstance(value, dict):
        raise SkynetError("bad_artefact", "The version's value is not an object.", 409)
    return value
