# SPDX-License-Identifier: Apache-2.0
"""A log folder with real lines of every stream, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.events.written import write_all


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    write_all(folder)
    return folder
