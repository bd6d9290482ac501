# SPDX-License-Identifier: Apache-2.0
"""Builds the kernels' CPU twin once and opens engines on it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from kernels_cuda.cuda import device
from kernels_cuda.cuda.device import Device, Options

KERNELS = Path(__file__).resolve().parents[2] / "kernels_cuda"
Open = Callable[..., Device]


def make(*targets: str) -> None:
    done = subprocess.run(
        ["make", "-C", str(KERNELS), "-j2", *targets], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session", autouse=True)
def host_library() -> Path:
    """libskynet_auction_host.so, quick when nothing changed."""
    make("build/libskynet_auction_host.so")
    return device.HOST_LIBRARY


@pytest.fixture
def open_device(host_library: Path) -> Iterator[Open]:
    """open_device(rows=4, ...) opens an engine on the CPU twin; all are closed at the end."""
    opened: list[Device] = []

    def open_one(**options: int) -> Device:
        opened.append(Device(host_library, Options(**options)))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture(
    params=[device.NAIVE, device.PORTABLE, device.CLUSTER], ids=["naive", "portable", "cluster"]
)
def kernel(request: pytest.FixtureRequest) -> int:
    """Each kernel in turn."""
    return int(request.param)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Seeded by the test's name, so that order does not matter."""
    return np.random.default_rng(list(request.node.originalname.encode()))
