# SPDX-License-Identifier: Apache-2.0
"""Every kernel gives the definition's token, and its numbers within 1e-6."""

from __future__ import annotations

import numpy as np
import pytest

from kernels_cuda.cuda import cases
from kernels_cuda.cuda.device import CLUSTER, PORTABLE, Device, Reply
from kernels_cuda.cuda.reference import expect, faults
from tests.cuda.conftest import Open


def assert_right(device: Device, reply: Reply) -> None:
    got = device.run([reply])[0]
    assert got.status == 0
    wrong = faults(got, expect(reply), np.asarray(reply.weights))
    assert not wrong, (wrong, np.shape(reply.logits), reply.weights, reply.temperature)


@pytest.mark.spec("AUC-U-09")
@pytest.mark.parametrize("sample", [False, True], ids=["argmax", "sample"])
def test_random_replies(
    open_device: Open, rng: np.random.Generator, kernel: int, sample: bool
) -> None:
    device = open_device(rows=12, vocab=3000, kernel=kernel)
    for _ in range(300):
        assert_right(device, cases.reply(rng, sample=sample))


@pytest.mark.parametrize("rows", range(1, 34))
def test_every_row_count(open_device: Open, rng: np.random.Generator, rows: int) -> None:
    for kernel in (PORTABLE, CLUSTER):
        device = open_device(rows=rows, vocab=500, kernel=kernel)
        for sample in (False, True):
            assert_right(device, cases.reply(rng, rows, 500, sample))


@pytest.mark.parametrize("vocab", [4, 49_152, 50_007, 152_064])
def test_vocabularies(open_device: Open, rng: np.random.Generator, vocab: int) -> None:
    for kernel in (PORTABLE, CLUSTER):
        device = open_device(rows=4, vocab=vocab, kernel=kernel)
        for sample in (False, True):
            assert_right(device, cases.reply(rng, 4, vocab, sample))


def test_sixteen_rows_of_a_large_vocabulary(open_device: Open, rng: np.random.Generator) -> None:
    """Too much for a cluster's shared memory: the portable kernel takes over by itself."""
    device = open_device(rows=16, vocab=152_064)
    assert "cluster kernel" in device.name
    z = (rng.normal(size=(16, 152_064)) * 3).astype(np.float32)
    assert_right(device, Reply(z, np.ones(16, np.float32), 0.75))


@pytest.mark.parametrize("temperature", [1e-3, 0.02, 30.0, 1e4])
def test_extreme_temperatures(
    open_device: Open, rng: np.random.Generator, kernel: int, temperature: float
) -> None:
    device = open_device(rows=4, vocab=500, kernel=kernel)
    t = float(np.float32(temperature))
    for sample in (False, True):
        z = (rng.normal(size=(4, 500)) * 3).astype(np.float32)
        draw = cases.draw(rng) if sample else None
        assert_right(device, Reply(z, np.ones(4, np.float32), t, draw))


@pytest.mark.parametrize("temperature", [1e-45, 1e-30, 1e30, 3e38])
def test_absurd_temperatures_stay_finite(
    open_device: Open, kernel: int, temperature: float
) -> None:
    device = open_device(rows=2, vocab=4, kernel=kernel)
    logits = np.array([[0, 1, -np.inf, 3e38], [-3e38, 2, 2, 1]], np.float32)
    got = device.run([Reply(logits, np.ones(2, np.float32), temperature)])[0]
    for value in (got.margin, *got.p_token, *got.pay, *got.critical_bid):
        assert np.isfinite(value) and value >= 0
    assert got.ref_token == 3


@pytest.mark.parametrize("ratio", [1e-30, 1e-12, 1e12, 1e30])
def test_weights_of_any_size(
    open_device: Open, rng: np.random.Generator, kernel: int, ratio: float
) -> None:
    """Bounds in float32 cannot hold such weights; the answer is right all the same."""
    device = open_device(rows=3, vocab=300, kernel=kernel)
    for _ in range(5):
        z = (rng.normal(size=(3, 300)) * 3).astype(np.float32)
        reply = Reply(z, np.array([1, ratio, 1], np.float32), 1.0)
        got, want = device.run([reply])[0], expect(reply)
        assert got.token == want.token
        np.testing.assert_allclose(got.pay, want.pay, rtol=1e-6, atol=1e-40)


def test_the_fused_kernels_agree_with_the_naive_one(
    open_device: Open, rng: np.random.Generator
) -> None:
    naive = open_device(rows=12, vocab=3000, kernel=1)
    fused = open_device(rows=12, vocab=3000)
    for _ in range(100):
        reply = cases.reply(rng)
        want, got = naive.run([reply])[0], fused.run([reply])[0]
        assert (got.token, got.ref_token) == (want.token, want.ref_token)
        np.testing.assert_allclose(got.log_z, want.log_z, rtol=1e-6, atol=1e-7)
