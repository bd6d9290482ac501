# SPDX-License-Identifier: Apache-2.0
"""One small dataset for all tests of the market."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines_dagster.defs.market.simulate import Size, simulate

SMALL = Size(conversations=60, contexts=80, ads=128, pairs=3_000)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("market") / "small"


@pytest.fixture(scope="session")
def card(folder: Path) -> dict[str, Any]:
    return simulate(folder, 11, SMALL)
