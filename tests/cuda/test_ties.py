# SPDX-License-Identifier: Apache-2.0
"""Ties go to the lowest id on every kernel, exact or within the contract's tolerance."""

from __future__ import annotations

import numpy as np
import pytest

from kernels_cuda import oracle
from kernels_cuda.cuda.device import CLUSTER, Reply
from kernels_cuda.cuda.reference import expect, faults
from tests.cuda.conftest import Open


@pytest.mark.parametrize("vocab", [1, 7, 64, 3000])
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_uniform_rows_choose_the_first_token(
    open_device: Open, kernel: int, rows: int, vocab: int
) -> None:
    device = open_device(rows=rows, vocab=vocab, kernel=kernel)
    got = device.run([Reply(np.zeros((rows, vocab), np.float32), np.ones(rows), 1.0)])[0]
    assert (got.token, got.ref_token) == (0, 0)
    assert got.near_tie == (vocab > 1) and (got.pay == 0).all()


@pytest.mark.parametrize("where", [(5, 2999), (2040, 2050), (0, 1), (1023, 1024)])
def test_two_equal_tokens(open_device: Open, kernel: int, where: tuple[int, int]) -> None:
    """Within an octet, across octets and across the blocks of a cluster."""
    device = open_device(rows=2, vocab=3000, kernel=kernel)
    z = np.zeros((2, 3000), np.float32)
    z[:, list(where)] = 9.0
    got = device.run([Reply(z, np.ones(2), 1.0)])[0]
    assert (got.token, got.ref_token, got.near_tie) == (where[0], where[0], True)
    assert got.margin == 0.0


def test_a_tie_of_two_rows_tokens(open_device: Open, kernel: int) -> None:
    """Each row wants another token as much: a draw between them, lowest id first."""
    device = open_device(rows=2, vocab=20_000, kernel=kernel)
    z = np.zeros((2, 20_000), np.float32)
    z[0, 17_001] = z[1, 4_002] = 12.0
    got = device.run([Reply(z, np.ones(2), 1.0)])[0]
    assert (got.token, got.ref_token, got.near_tie) == (4_002, 17_001, True)


def test_near_ties_match_the_oracle(
    open_device: Open, rng: np.random.Generator, kernel: int
) -> None:
    """Margins around the tolerance and around the near-tie bound, both sides of each."""
    device = open_device(rows=2, vocab=200, kernel=kernel)
    flagged = 0
    for gap in np.r_[np.logspace(-14, -3, 60), 0.0]:
        z = (rng.normal(size=(2, 200)) * 2).astype(np.float32)
        z[:, 150], z[0, 20], z[1, 20] = 12.0, 12.0, np.float32(12.0 + gap)
        reply = Reply(z, np.array([1.0, 0.7]), 1.0)
        got = device.run([reply])[0]
        want = expect(reply)
        assert not faults(got, want, np.asarray(reply.weights)), gap
        flagged += got.near_tie
    assert 5 < flagged < 61


def test_near_ties_are_decided_in_float64(open_device: Open, rng: np.random.Generator) -> None:
    device = open_device(rows=2, vocab=200, kernel=CLUSTER)
    z = (rng.normal(size=(2, 200)) * 2).astype(np.float32)
    z[:, [3, 90]] = 12.0
    got = device.run([Reply(z, np.ones(2), 1.0)])[0]
    assert got.near_tie and got.precise and got.token == 3
    assert got.margin <= oracle.NEAR_TIE_REL * got.blend_token
