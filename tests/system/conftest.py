# SPDX-License-Identifier: Apache-2.0
"""The real stack once per test session: Triton, the real LLM, the gateway, on free ports."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from bls.settings import Settings
from client.launcher.stack import Stack
from tests.system.probe import Probe


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = dataclasses.replace(
        Settings(),
        state=tmp_path_factory.mktemp("state"),
        port=0,
        triton_grpc_port=0,
        triton_metrics_port=0,
    )
    with Stack(settings) as stack:
        yield stack


@pytest.fixture
def probe(stack: Stack) -> Probe:
    return Probe(stack)
