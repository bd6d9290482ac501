# SPDX-License-Identifier: Apache-2.0
"""A real Triton server with `bid_predictor` alone, serving a version made for the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.models.stub import write_version
from tests.one_model import ModelServer, one_model, point_at


@pytest.fixture(scope="module")
def server(started: ModelServer) -> ModelServer:
    """Serves a version that is whole: mu the window's mean, alpha 0.7."""
    point_at(write_version(started.models / "first"))
    started.until(lambda: 1 in started.series("cbp_model_info").values())
    return started


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """Up, with a version that has lost its PCA; not to be asked for after `server`."""
    folder = tmp_path_factory.mktemp("predictor")
    broken = write_version(folder / "models" / "broken")
    (broken / "pca.safetensors").unlink()
    point_at(broken)
    with one_model("bid_predictor", folder, predictor_model=str(broken.parent)) as running:
        yield running
