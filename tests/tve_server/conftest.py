# SPDX-License-Identifier: Apache-2.0
"""A real Triton server with `tve` alone, serving a version made for the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.one_model import ModelServer, one_model, point_at
from tests.tve_server.stub import write_version


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    folder = tmp_path_factory.mktemp("tve")
    point_at(write_version(folder / "models" / "first"))
    with one_model("tve", folder, tve_model=str(folder / "models")) as running:
        yield running
