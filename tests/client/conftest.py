# SPDX-License-Identifier: Apache-2.0
"""A fake Triton and a real gateway in front of it, fresh for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from client.gateway.settings import GatewaySettings
from tests.client.fake_triton import FakeTriton
from tests.client.harness import LiveGateway


@pytest.fixture
def triton() -> Iterator[FakeTriton]:
    with FakeTriton() as fake:
        yield fake


@pytest.fixture
def gateway(triton: FakeTriton) -> Iterator[LiveGateway]:
    with LiveGateway(GatewaySettings(triton=triton.address, streams=4)) as live:
        yield live


@pytest.fixture
def restless(triton: FakeTriton) -> Iterator[LiveGateway]:
    """A gateway that sends ten heartbeats a second."""
    with LiveGateway(GatewaySettings(triton=triton.address, heartbeat_s=0.1)) as live:
        yield live
