# SPDX-License-Identifier: Apache-2.0
"""A tiny model and random situations: what the audit does is the same on a real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bls.audit.replies import Situation
from export.llm.tiny import ensure_tiny_llm


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_tiny_llm(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def situations() -> list[Situation]:
    """Tokens of four replies: rows that resemble each other, bids around the reference's weight."""
    rng = np.random.default_rng(7)
    found = []
    for number in range(24):
        shared = rng.normal(size=(1, 80)) * 2
        logits = (shared + rng.normal(size=(4, 80)) * 1.5).astype(np.float32)
        weights = np.array([1.0, *rng.uniform(0.5, 2.0, 3)], np.float32)
        found.append(Situation(number // 6, number % 6, logits, weights, 0.7))
    return found
