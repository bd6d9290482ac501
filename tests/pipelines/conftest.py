# SPDX-License-Identifier: Apache-2.0
"""What several parts share: S3 servers, one a module, and a lake in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from pipelines_dagster.defs.ingest.testbed.s3 import KEYS, Store
from pipelines_dagster.lake.lake import Lake


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with pytest.MonkeyPatch.context() as patch, Store() as started:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        yield started


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An S3 server in this process, for reading and writing alone."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
