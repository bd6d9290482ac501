# SPDX-License-Identifier: Apache-2.0
"""The classifier's threshold of each use, out of the manifest of its version."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from bls.contracts import Use
from bls.errors import SkynetError
from export.errors import ExportError
from export.model_manifest import ModelManifest


def thresholds_of(folder: Path) -> Mapping[Use, float]:
    """By use, in (0, 1]. Checks every file's hash as well. Raises `bad_policy_model`."""
    try:
        named = ModelManifest.load(folder).details["thresholds"]
        found = {use: float(named[use.name.lower()]) for use in Use}
    except (ExportError, KeyError, TypeError, ValueError):
        raise _bad() from None
    if not all(math.isfinite(value) and 0 < value <= 1 for value in found.values()):
        raise _bad()
    return MappingProxyType(found)


def _bad() -> SkynetError:
    text = "The guard's manifest does not fit its files, or has no threshold for every use."
    return SkynetError("bad_policy_model", text, 500)
