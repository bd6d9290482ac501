# SPDX-License-Identifier: Apache-2.0
"""No path reads past V, aligned or not, and steady state allocates nothing."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from kernels_cuda import oracle
from kernels_cuda.auction import Draw
from tests.kernels.cases import KERNELS
from tests.kernels.pages import before_a_wall


@pytest.mark.spec("AUC-U-06")
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("vocab", [1, 7, 63, 65, 50_007])
def test_nothing_is_read_past_the_vocabulary(auction, rng, vocab: int, dtype: type) -> None:
    values = (rng.normal(size=(2, vocab)) * 3).astype(dtype)
    weights = np.array([1.0, 0.8], np.float32)
    with before_a_wall(values) as logits:
        for draw in (None, Draw(1, 2, 3)):
            got = auction.run(logits, weights, 0.5, draw=draw, top=True)
            assert got.token == oracle.auction(values, weights, 0.5, draw).token


@pytest.mark.spec("AUC-U-06")
def test_sanitizers_find_nothing() -> None:
    probe = subprocess.run(
        ["g++", "-fsanitize=address,undefined", "-x", "c++", "-", "-o", "/dev/null"],
        input="int main() {}",
        text=True,
        capture_output=True,
        check=False,
    )
    if probe.returncode != 0:
        pytest.skip("this compiler has no sanitizers")
    done = subprocess.run(
        ["make", "-C", str(KERNELS), "-j2", "asan"], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "selftest: ok" in done.stdout


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_logits_may_lie_unaligned(auction, rng, shift: int) -> None:
    """A request's bytes may start at any address."""
    values = (rng.normal(size=(3, 200)) * 3).astype(np.float32)
    room = np.zeros(values.nbytes + shift, np.uint8)
    moved = room[shift:].view(np.uint8)
    moved[:] = values.view(np.uint8).ravel()
    logits = np.ndarray((3, 200), np.float32, buffer=moved.data)
    weights = np.ones(3, np.float32)
    got, want = auction.run(logits, weights, 0.5), auction.run(values, weights, 0.5)
    assert got.token == want.token and (got.pay == want.pay).all()


def test_a_workspace_serves_growing_and_shrinking_replies(auction, rng) -> None:
    for rows, vocab in ((2, 10), (33, 700), (1, 1), (4, 5000), (2, 10)):
        logits = rng.normal(size=(rows, vocab)).astype(np.float32)
        weights = np.ones(rows, np.float32)
        assert auction.run(logits, weights, 1.0).token == oracle.auction(logits, weights, 1.0).token
