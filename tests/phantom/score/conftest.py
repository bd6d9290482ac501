# SPDX-License-Identifier: Apache-2.0
"""Made-up sessions in a file, their prefixes, and a version trained on them in a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from bls.phantom.recorded import write_sessions
from export.agent_score.config import TrainConfig
from export.agent_score.sessions import Prefixes, prefixes
from export.agent_score.training import train
from tests.phantom.score.drawn import ORDER, sessions

CONFIG = TrainConfig(steps=80, batch=128, agent_kinds=2, human_kinds=2)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 20 sessions of every driver."""
    path = tmp_path_factory.mktemp("sessions") / "made.jsonl.gz"
    write_sessions(path, sessions(20))
    return path


@pytest.fixture(scope="session")
def data() -> Prefixes:
    return prefixes(sessions(20), lambda mode: ORDER)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, recorded: Path) -> Path:
    """The folder of a version trained on `recorded`."""
    out = tmp_path_factory.mktemp("trained") / "version"
    train([recorded], out, CONFIG, 0)
    return out
