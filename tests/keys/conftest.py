# SPDX-License-Identifier: Apache-2.0
"""A signing key, a folder, and a log that remembers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bls.keys.folder import FolderStore
from tests.keys.operators import PERIOD_S, Operator, Remembered


@pytest.fixture
def log() -> Remembered:
    return Remembered()


@pytest.fixture
def operator() -> Operator:
    return Operator()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    store = FolderStore(tmp_path / "keys", PERIOD_S)
    yield store
    store.close()
