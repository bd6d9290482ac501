# SPDX-License-Identifier: Apache-2.0
"""A tiny value model and the shipped context encoder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bls.brain.context.encoder import ContextEncoder
from tests.explain import tiny_tve

os.environ["NUMBA_DISABLE_JIT"] = "1"  # as in the worker; before shap is imported


@pytest.fixture(scope="session")
def encoder() -> ContextEncoder:
    return ContextEncoder()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tve.write(tmp_path_factory.mktemp("tve") / "1")
