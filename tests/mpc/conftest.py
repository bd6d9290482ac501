# SPDX-License-Identifier: Apache-2.0
"""Builds the kernels once and offers the controller on every path this processor has."""

from __future__ import annotations

import subprocess
from pathlib import Path as FilePath

import numpy as np
import pytest

from kernels_cuda.mpc import Mpc, MpcError, Path
from tests.kernels.cases import KERNELS


@pytest.fixture(scope="session", autouse=True)
def built() -> FilePath:
    """`make -C kernels_cuda`, quick when nothing changed; returns the build folder."""
    done = subprocess.run(
        ["make", "-C", str(KERNELS), "-j2", "all"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return KERNELS / "build"


@pytest.fixture(params=[Path.SCALAR, Path.AVX2, Path.AVX512], ids=lambda path: path.name.lower())
def mpc(request: pytest.FixtureRequest, built: FilePath) -> Mpc:
    """The compiled controller on one path."""
    try:
        return Mpc(request.param)
    except MpcError:
        pytest.skip(f"this processor has no {request.param.name}")


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Seeded by the test's name, so that order does not matter."""
    return np.random.default_rng(list(request.node.originalname.encode()))
