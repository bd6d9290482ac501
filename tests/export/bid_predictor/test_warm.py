# SPDX-License-Identifier: Apache-2.0
"""A training goes on from a version's own graph."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from export.bid_predictor.artefact import MODEL_FILE, SHIPPED
from export.bid_predictor.config import TrainConfig
from export.bid_predictor.runtime import OnnxForecaster
from export.bid_predictor.warm import start_from
from export.errors import ExportError


def test_the_network_is_the_one_that_is_served() -> None:
    network = start_from(SHIPPED, TrainConfig()).eval()
    features = np.random.default_rng(0).normal(0, 0.3, (64, 150)).astype(np.float32)
    with torch.no_grad():
        mine = network(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(mine, OnnxForecaster(SHIPPED / MODEL_FILE).run(features), atol=1e-4)


def test_other_sizes_are_refused(tmp_path: Path) -> None:
    for config in (replace(TrainConfig(), hidden=64), replace(TrainConfig(), layers=3)):
        with pytest.raises(ExportError) as refused:
            start_from(SHIPPED, config)
        assert refused.value.code == "start_mismatch"
    shutil.copytree(SHIPPED, tmp_path / "spoilt")
    (tmp_path / "spoilt" / MODEL_FILE).write_bytes(b"")
    with pytest.raises(ExportError) as refused:
        start_from(tmp_path / "spoilt", TrainConfig())
    assert refused.value.code == "model_hash_mismatch"
