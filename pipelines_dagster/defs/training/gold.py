# SPDX-License-Identifier: Apache-2.0
"""Where the training sets are: `<lake>/gold/<name>/<version>/`, each a frozen market dataset.

The newest version is the last name; one without its card is still being written. Rows for the gate
are in `held/` below it, a market dataset too.
"""

from __future__ import annotations

from pathlib import Path

from bls.errors import SkynetError
from pipelines_dagster.defs.market.dataset import CARD
from pipelines_dagster.settings import PipelineSettings

HELD = "held"


def newest(settings: PipelineSettings, name: str) -> Path:
    """Raises `no_data` before the first version is whole."""
    if settings.lake_root.startswith("s3://"):
        from pipelines_dagster.defs.training.gold_s3 import fetch_newest  # noqa: PLC0415

        return fetch_newest(settings, name)
    root = Path(settings.lake_root) / "gold" / name
    found = root.iterdir() if root.is_dir() else ()
    whole = sorted(path for path in found if (path / CARD).is_file())
    if not whole:
        raise no_data(name)
    return whole[-1]


def held_of(dataset: Path) -> Path:
    """The held-out rows of a dataset. Raises `held_missing`."""
    held = dataset / HELD
    if not (held / CARD).is_file():
        raise SkynetError("held_missing", "The dataset has no held-out rows.", 409)
    return held


def no_data(name: str) -> SkynetError:
    return SkynetError("no_data", f"There is no dataset gold/{name} yet.", 409)
