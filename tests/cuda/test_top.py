# SPDX-License-Identifier: Apache-2.0
"""Audit outputs: the best sixteen of each row, exactly, and every row's logits there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kernels_cuda import oracle
from kernels_cuda.cuda import cases
from kernels_cuda.cuda.device import Batch, Reply
from kernels_cuda.cuda.reference import top_is_right, widened
from tests.cuda.conftest import Open


def assert_top(open_device: Open, kernel: int, replies: list[Reply]) -> None:
    device = open_device(replies=len(replies), rows=12, vocab=20_000, kernel=kernel)
    wanted = [replace(reply, top=True) for reply in replies]
    for reply, got in zip(wanted, device.run(wanted), strict=True):
        assert got.status == 0 and top_is_right(got, reply)


def test_random_replies(open_device: Open, rng: np.random.Generator, kernel: int) -> None:
    for _ in range(10):
        assert_top(open_device, kernel, [cases.reply(rng) for _ in range(5)])


@pytest.mark.parametrize("best", [slice(0, 8), slice(9_990, 10_010), slice(0, 20_000, 1999)])
def test_the_best_may_lie_together_or_apart(
    open_device: Open, rng: np.random.Generator, kernel: int, best: slice
) -> None:
    z = rng.normal(size=(2, 20_000)).astype(np.float32)
    z[:, best] += np.float32(20)
    assert_top(open_device, kernel, [Reply(z, np.ones(2), 1.0)])


def test_equal_logits_are_listed_by_id(open_device: Open, kernel: int) -> None:
    assert_top(open_device, kernel, [Reply(np.zeros((2, 20_000), np.float32), np.ones(2), 1.0)])


def test_fewer_tokens_than_places(open_device: Open, kernel: int) -> None:
    z = np.full((2, 3000), -np.inf, np.float32)
    z[0, 5], z[1, [7, 2999]] = 1.0, 2.0
    assert_top(open_device, kernel, [Reply(z, np.ones(2), 1.0)])


def test_either_output_may_be_left_out(open_device: Open, rng: np.random.Generator) -> None:
    device = open_device(rows=3, vocab=300)
    reply = replace(cases.reply(rng, 3, 300, False), top=True)
    for unwanted in ("id", "logit"):
        batch = Batch([reply])
        setattr(batch.raw[0].top, unwanted, None)
        assert (device.submit(batch), device.wait()) == (0, 0)
        got = batch.outcome(0)
        ids, logits = oracle.top_tokens(widened(reply.logits), got.row_status)
        if unwanted == "id":
            np.testing.assert_array_equal(got.top_logit, logits)
        else:
            np.testing.assert_array_equal(got.top_id, ids)
