# SPDX-License-Identifier: Apache-2.0
"""Models for the export tests: a tiny one made here, and the real one from the wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.llm import ensure_llm
from export.llm.tiny import ensure_tiny_llm, write_tiny_source

CACHE = Path(__file__).resolve().parents[2] / ".cache"


@pytest.fixture(scope="session")
def tiny_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_source(tmp_path_factory.mktemp("source") / "tiny")


@pytest.fixture(scope="session")
def tiny_llm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_tiny_llm(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def real_llm() -> Path:
    return ensure_llm(cache_dir=CACHE)
