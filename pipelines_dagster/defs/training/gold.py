# SPDX-License-Identifier: Apache-2.0
"""Where the training sets are: `<lake>/gold/<name>/<version>/`, each a frozen market dataset.

The newest is the one whose card was `created_at` last; one without a card is still being written,
one without its rows is retired.
Rows for the gate are in `held/` below it, a market dataset too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bls.errors import SkynetError
from pipelines_dagster.defs.market.dataset import CARD, load_card, whole
from pipelines_dagster.settings import PipelineSettings

HELD = "held"


def newest(settings: PipelineSettings, name: str) -> Path:
    """Raises `no_data` before the first version is whole."""
    if settings.lake_root.startswith("s3://"):
        from pipelines_dagster.defs.training.gold_s3 import fetch_newest  # noqa: PLC0415

        return fetch_newest(settings, name)
    root = Path(settings.lake_root) / "gold" / name
    found = root.iterdir() if root.is_dir() else ()
    sets = [path for path in found if whole(path)]
    if not sets:
        raise no_data(name)
    return max(sets, key=lambda path: age_of(load_card(path), path.name))


def age_of(card: Mapping[str, Any], version: str) -> tuple[float, str]:
    """Orders versions by when they were made, then by name."""
    created = card.get("created_at", 0.0)
    return float(created) if isinstance(created, int | float) else 0.0, version


def held_of(dataset: Path) -> Path:
    """The held-out rows of a dataset. Raises `held_missing`."""
    held = dataset / HELD
    if not (held / CARD).is_file():
        raise SkynetError("held_missing", "The dataset has no held-out rows.", 409)
    return held


def no_data(name: str) -> SkynetError:
    return SkynetError("no_data", f"There is no dataset gold/{name} yet.", 409)
