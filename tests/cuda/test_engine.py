# SPDX-License-Identifier: Apache-2.0
"""The host side: batches, staged logits, streams, timeouts, failures, bounded waits."""

from __future__ import annotations

import ctypes
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kernels_cuda.cuda import cases, device
from kernels_cuda.cuda.device import Batch, Device, DeviceError, Options, Reply
from kernels_cuda.cuda.reference import expect, faults
from tests.cuda.conftest import Open

NO_MEMORY, NULL, FAILED, TIMEOUT = 8, 9, 11, 12
ERROR, HANG, REFUSE = 1, 2, 3


def fail(one: Device, kind: int, after_batches: int = 0) -> None:
    one.lib.skynet_host_fail(ctypes.c_void_p(one.handle), kind, after_batches)


def delay(one: Device, us: int) -> None:
    one.lib.skynet_host_delay(ctypes.c_void_p(one.handle), ctypes.c_int64(us))


def calls(one: Device) -> list[str]:
    """The runtime calls since the last time this was asked."""
    text = ctypes.create_string_buffer(1 << 16)
    one.lib.skynet_host_calls(ctypes.c_void_p(one.handle), text, len(text))
    return text.value.decode().split(";")[:-1]


def simple(token: int = 3, **changes: object) -> Reply:
    z = np.zeros((2, 100), np.float32)
    z[:, token] = 5.0
    return replace(Reply(z, np.ones(2, np.float32), 1.0), **changes)


def assert_right(one: Device, replies: list[Reply]) -> None:
    for reply, got in zip(replies, one.run(replies), strict=True):
        assert not faults(got, expect(reply), np.asarray(reply.weights))


# ---- Batches ---------------------------------------------------------------
@pytest.mark.parametrize("count", [1, 8, 9, 40])
def test_batches_of_unlike_replies(
    open_device: Open, rng: np.random.Generator, kernel: int, count: int
) -> None:
    """Sizes, types, modes and staging differ from reply to reply."""
    one = open_device(replies=count, rows=12, vocab=3000, kernel=kernel)
    replies = [cases.reply(rng) for _ in range(count)]
    assert_right(one, [replace(r, staged=i % 3 == 0) for i, r in enumerate(replies)])


def test_an_engine_serves_batch_after_batch(open_device: Open, rng: np.random.Generator) -> None:
    one = open_device(replies=4, rows=12, vocab=3000)
    for _ in range(20):
        assert_right(one, [cases.reply(rng) for _ in range(int(rng.integers(1, 5)))])


def test_a_large_batch_shares_the_device(open_device: Open, rng: np.random.Generator) -> None:
    """More replies than fit at once: teams of the portable kernel take several in turn."""
    for kernel in (device.PORTABLE, device.CLUSTER):
        one = open_device(replies=300, rows=2, vocab=300, kernel=kernel)
        assert_right(one, [cases.reply(rng, 2, 300) for _ in range(300)])


def test_staged_rows_may_lie_anywhere(open_device: Open, rng: np.random.Generator) -> None:
    """A request's bytes may start at any address; rows of odd length too."""
    one = open_device(rows=3, vocab=333)
    values = (rng.normal(size=(3, 333)) * 3).astype(np.float32)
    room = np.zeros(values.nbytes + 1, np.uint8)
    room[1:] = values.view(np.uint8).ravel()
    moved = np.ndarray((3, 333), np.float32, buffer=room[1:].data)
    got = one.run([Reply(moved, np.ones(3), 0.75, staged=True)])[0]
    assert not faults(got, expect(Reply(values, np.ones(3), 0.75)), np.ones(3))


def test_device_logits_must_be_aligned_to_their_element(open_device: Open) -> None:
    """A GPU would fault, and with it everything in its context."""
    one = open_device(rows=2, vocab=100)
    room = np.zeros(2 * 100 * 4 + 4, np.uint8)
    for offset, dtype, status in ((2, np.float32, NULL), (1, np.float16, NULL), (2, np.float16, 0)):
        logits = np.ndarray((2, 100), dtype, buffer=room[offset:].data)
        assert one.run([Reply(logits, np.ones(2), 1.0)])[0].status == status


def test_staged_logits_over_the_limit_start_nothing(open_device: Open) -> None:
    one = open_device(rows=2, vocab=100, staged_bytes=2 * 400 - 1)
    assert one.submit(Batch([simple(staged=True)])) == NO_MEMORY
    assert one.run([simple()])[0].token == 3
    roomy = open_device(rows=2, vocab=100, staged_bytes=2 * 400)
    assert roomy.run([simple(staged=True)])[0].token == 3


# ---- The stream ------------------------------------------------------------
@pytest.mark.spec("AUC-C-06")
@pytest.mark.parametrize("count, staged", [(1, False), (1, True), (8, False), (40, True)])
def test_a_batch_is_one_stream_and_never_waits(
    open_device: Open, kernel: int, count: int, staged: bool
) -> None:
    """Mixing and choosing are one launch; nothing allocates or synchronises per batch."""
    one = open_device(replies=count, rows=2, vocab=100, kernel=kernel)
    batch = Batch([simple(staged=staged)] * count)
    opening = {call.split()[0] for call in calls(one)}
    assert opening == {"map", "allocate"}
    for _ in range(5):
        assert (one.submit(batch), one.wait()) == (0, 0)
        made = [call for call in calls(one) if call != "failed 0"]
        copies = [call for call in made if call.startswith("copy 0 ")]
        assert made[len(copies) :] == ["launch 0"]
        assert len(copies) == int(staged) + int(count > 8)


@pytest.mark.spec("AUC-U-08")
def test_logits_are_read_between_submit_and_wait_only(open_device: Open, kernel: int) -> None:
    """In-place logits may change until the kernel starts and are free once wait returned."""
    one = open_device(rows=2, vocab=100, kernel=kernel)
    delay(one, 50_000)
    z = np.full((2, 100), np.nan, np.float32)
    batch = Batch([Reply(z, np.ones(2), 1.0)])
    assert one.submit(batch) == 0
    z[:] = 0.0
    z[:, 42] = 5.0
    assert one.wait() == 0
    assert batch.outcome(0).token == 42
    before = [value.tobytes() for value in batch.rows]
    z[:] = np.nan
    time.sleep(0.06)
    assert batch.outcome(0).token == 42
    assert [value.tobytes() for value in batch.rows] == before


@pytest.mark.spec("AUC-U-08")
def test_small_inputs_are_read_before_submit_returns(open_device: Open, kernel: int) -> None:
    """Weights and staged logits may be reused at once."""
    one = open_device(rows=2, vocab=100, kernel=kernel)
    delay(one, 50_000)
    z, w = np.zeros((2, 100), np.float32), np.ones(2, np.float32)
    z[:, 42] = 5.0
    batch = Batch([Reply(z, w, 1.0, staged=True)])
    assert one.submit(batch) == 0
    z[:], w[:] = np.nan, np.nan
    batch.raw[0].input.temperature = 0.0
    assert one.wait() == 0
    assert (batch.outcome(0).status, batch.outcome(0).token) == (0, 42)


# ---- Failures --------------------------------------------------------------
@pytest.mark.parametrize("kind, status", [(ERROR, FAILED), (HANG, TIMEOUT)])
def test_a_failing_device_answers_in_bounded_time(
    open_device: Open, kind: int, status: int
) -> None:
    one = open_device(rows=2, vocab=100)
    assert one.run([simple()])[0].token == 3
    fail(one, kind, after_batches=1)
    assert one.run([simple()])[0].token == 3
    assert one.submit(Batch([simple()])) == 0
    start = time.monotonic()
    assert one.wait(100_000) == status
    assert one.wait(100_000) == FAILED
    assert one.submit(Batch([simple()])) == FAILED
    one.close()
    assert time.monotonic() - start < 1.0


def test_a_refused_launch_is_a_failure(open_device: Open) -> None:
    one = open_device(rows=2, vocab=100)
    fail(one, REFUSE)
    assert one.submit(Batch([simple()])) == FAILED
    assert one.wait(1000) == FAILED


def test_a_late_device_is_waited_for(open_device: Open) -> None:
    one = open_device(rows=2, vocab=100)
    delay(one, 30_000)
    start = time.monotonic()
    assert one.run([simple()])[0].token == 3
    assert time.monotonic() - start >= 0.03


def test_closing_does_not_wait_for_a_late_device(open_device: Open) -> None:
    one = open_device(rows=2, vocab=100)
    delay(one, 10_000_000)
    assert one.submit(Batch([simple()])) == 0
    start = time.monotonic()
    one.close()
    assert time.monotonic() - start < 1.0


@pytest.mark.parametrize("text, status", [("error", FAILED), ("hang", TIMEOUT)])
def test_a_file_makes_a_running_device_fail(
    open_device: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, status: int
) -> None:
    fault = tmp_path / "fault"
    monkeypatch.setenv("HOST_DEVICE_FAULT_FILE", str(fault))
    one = open_device(rows=2, vocab=100)
    assert one.run([simple()])[0].token == 3
    fault.write_text("delay_us 20000\n")
    start = time.monotonic()
    assert one.run([simple()])[0].token == 3
    assert time.monotonic() - start >= 0.02
    fault.write_text(text)
    assert one.submit(Batch([simple()])) == 0
    assert one.wait(100_000) == status


# ---- Misuse ----------------------------------------------------------------
@pytest.mark.parametrize(
    "options",
    [
        Options(replies=0),
        Options(rows=0),
        Options(rows=34),
        Options(vocab=0),
        Options(vocab=(1 << 18) + 1),
        Options(kernel=4),
        Options(device=-1),
        Options(staged_bytes=-1),
    ],
)
def test_options_out_of_range_are_refused(host_library: Path, options: Options) -> None:
    with pytest.raises(DeviceError, match="out of range"):
        Device(host_library, options)


def test_batches_out_of_turn_are_refused(open_device: Open) -> None:
    one = open_device(replies=2, rows=2, vocab=100)
    assert one.wait() == 0
    assert one.submit(Batch([])) == NO_MEMORY
    assert one.submit(Batch([simple()] * 3)) == NO_MEMORY
    batch = Batch([simple()])
    assert one.submit(batch) == 0
    assert one.submit(Batch([simple()])) == NO_MEMORY
    assert one.wait() == 0 and batch.outcome(0).token == 3


def test_null_pointers_are_refused(open_device: Open) -> None:
    one = open_device()
    assert one.lib.skynet_device_submit(one.handle, None, 1) == NULL
    assert one.lib.skynet_device_submit(None, None, 1) == NULL
    assert one.lib.skynet_device_wait(None, 0) == NULL
    assert one.lib.skynet_device_name(None) == b""
    assert one.lib.skynet_device_open(None, None, 0) is None
    one.lib.skynet_device_close(None)


def test_a_reply_too_large_for_a_cluster(open_device: Open, rng: np.random.Generator) -> None:
    """The cluster kernel alone refuses it; by default the portable one takes over."""
    big = (rng.normal(size=(33, 50_000)) * 3).astype(np.float32)
    reply = Reply(big, np.ones(33), 1.0)
    alone = open_device(rows=33, vocab=50_000, kernel=device.CLUSTER)
    assert alone.run([reply])[0].status == NO_MEMORY
    either = open_device(rows=33, vocab=50_000)
    assert_right(either, [reply])


def test_the_name_says_which_kernel(open_device: Open) -> None:
    for kernel, text in ((0, "cluster"), (1, "naive"), (2, "portable"), (3, "cluster")):
        assert open_device(kernel=kernel).name == f"CPU twin of an H100, {text} kernel"
