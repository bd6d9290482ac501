# SPDX-License-Identifier: Apache-2.0
"""No kernel reads outside a row's V logits, wherever they lie; results depend on no order."""

from __future__ import annotations

import ctypes
from dataclasses import replace

import numpy as np
import pytest

from kernels_cuda.cuda import cases
from kernels_cuda.cuda.device import Answer, Reply
from kernels_cuda.cuda.reference import expect, faults
from tests.cuda.conftest import Open
from tests.kernels.pages import before_a_wall

GUARD = 64


def between_guards(values: np.ndarray, offset: int) -> np.ndarray:
    """A copy that starts `offset` bytes past 16, with NaN bytes right before and after it."""
    room = np.full(values.nbytes + 2 * GUARD, 0xFF, np.uint8)
    start = -room.ctypes.data % 16 + 16 + offset
    room[start : start + values.nbytes] = values.view(np.uint8).ravel()
    body = room[start : start + values.nbytes].view(values.dtype)
    return body.reshape(values.shape)


@pytest.mark.spec("AUC-U-06")
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("vocab", [1, 7, 9, 65, 50_007])
def test_nothing_is_read_past_the_vocabulary(
    open_device: Open, rng: np.random.Generator, kernel: int, vocab: int, dtype: type
) -> None:
    """The last logit is followed by an unreadable page; an odd V leaves rows unaligned."""
    device = open_device(rows=3, vocab=vocab, kernel=kernel)
    values = (rng.normal(size=(3, vocab)) * 3).astype(dtype)
    want = expect(Reply(values, np.ones(3), 0.5))
    with before_a_wall(values) as logits:
        got = device.run([Reply(logits, np.ones(3), 0.5)])[0]
    assert not faults(got, want, np.ones(3))


@pytest.mark.spec("AUC-U-06")
@pytest.mark.parametrize("offset", range(0, 16, 2))
def test_guard_bytes_around_the_rows_change_nothing(
    open_device: Open, rng: np.random.Generator, kernel: int, offset: int
) -> None:
    """Guards are NaN in every type: one that were read would drop a row."""
    device = open_device(rows=3, vocab=50_007, kernel=kernel)
    values = (rng.normal(size=(3, 50_007 if offset == 2 else 4007)) * 3).astype(np.float16)
    want = expect(Reply(values, np.ones(3), 0.5))
    got = device.run([Reply(between_guards(values, offset), np.ones(3), 0.5)])[0]
    assert not faults(got, want, np.ones(3))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_rows_may_be_strided(
    open_device: Open, rng: np.random.Generator, kernel: int, dtype: type
) -> None:
    device = open_device(rows=4, vocab=300, kernel=kernel)
    padded = np.full((4, 337), np.nan, dtype)
    padded[:, :300] = rng.normal(size=(4, 300)) * 3
    got = device.run([Reply(padded[:, :300], np.ones(4), 0.5)])[0]
    want = expect(Reply(np.ascontiguousarray(padded[:, :300]), np.ones(4), 0.5))
    assert not faults(got, want, np.ones(4))


def fields(outcome: Answer) -> tuple[object, ...]:
    values = vars(outcome).values()
    return tuple(v.tobytes() if isinstance(v, np.ndarray) else v for v in values)


def test_no_step_depends_on_another_thread_of_it(
    open_device: Open, rng: np.random.Generator, kernel: int
) -> None:
    """Threads and blocks in reverse give the same bits: a race within a step would not."""
    device = open_device(rows=12, vocab=20_000, kernel=kernel)
    for i in range(60):
        reply = cases.reply(rng, vocab=20_000 if i % 20 == 0 else None)
        reply = replace(reply, top=True)
        outcomes = []
        for backward in (0, 1):
            device.lib.skynet_host_backward(ctypes.c_void_p(device.handle), backward)
            outcomes.append(fields(device.run([reply])[0]))
        assert outcomes[0] == outcomes[1]


def test_an_engine_serves_growing_and_shrinking_replies(
    open_device: Open, rng: np.random.Generator, kernel: int
) -> None:
    device = open_device(rows=33, vocab=5000, kernel=kernel)
    for rows, vocab in ((2, 10), (33, 700), (1, 1), (4, 5000), (2, 10)):
        reply = cases.reply(rng, rows, vocab)
        assert not faults(device.run([reply])[0], expect(reply), np.asarray(reply.weights))
