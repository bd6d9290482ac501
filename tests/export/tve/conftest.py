# SPDX-License-Identifier: Apache-2.0
"""A tiny market and a model trained on it in seconds, once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from export.tve.config import Dims, Stage, TveConfig
from export.tve.train import Trained, train
from tests.export.tve import tiny_market

torch.set_num_threads(1)  # more only wait for one another on a busy machine

TINY = Dims(ctx=16, ctx_layers=1, ad=32, ad_layers=1, fused=16)
CONFIG = TveConfig(
    teacher=TINY,
    similarity=Stage(3e-3, 3),
    supervised=Stage(1e-2, 8),
    distil=Stage(1e-2, 8),
    batch=128,
    word_drop=0.0,
)


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_market.write(tmp_path_factory.mktemp("market") / "world", seed=1, rows=2_000)


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trained")


@pytest.fixture(scope="session")
def trained(market: Path, out: Path) -> Trained:
    return train(market, CONFIG, 1, out)
