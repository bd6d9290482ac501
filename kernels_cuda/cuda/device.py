# SPDX-License-Identifier: Apache-2.0
"""The accelerator library from Python, through ctypes: for tests and measurements.

    with Device(library, Options(rows=4, vocab=49_152)) as device:
        outcome = device.run([Reply(logits, weights, 0.7)])[0]

Fields, units and limits are those of device.h and include/auction_contract.h.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels_cuda import abi
from kernels_cuda.contract import TOP, Draw, Mode, Outcome

BUILD = Path(__file__).resolve().parents[1] / "build"
HOST_LIBRARY = BUILD / "libskynet_auction_host.so"
CUDA_LIBRARY = BUILD / "libskynet_auction_cuda.so"
AUTO, NAIVE, PORTABLE, CLUSTER = range(4)
OK, DEVICE_FAILED, DEVICE_TIMEOUT = 0, 11, 12
_TYPES = {np.dtype(np.float32): 0, np.dtype(np.float16): 1, np.dtype(np.uint16): 2}


class DeviceError(RuntimeError):
    """The engine could not be opened, or answered with this status."""

    def __init__(self, text: str, status: int = -1) -> None:
        super().__init__(text)
        self.status = status


class _Options(ctypes.Structure):
    _fields_ = [
        ("device", ctypes.c_int32),
        ("replies", ctypes.c_int32),
        ("rows", ctypes.c_int32),
        ("vocab", ctypes.c_int32),
        ("kernel", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("staged_bytes", ctypes.c_int64),
    ]


class _DeviceReply(ctypes.Structure):
    _fields_ = [
        ("input", abi.Input),
        ("staged", ctypes.c_int32),
        ("status", ctypes.c_int32),
        ("reply", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("top", abi.Top),
    ]


@dataclass(frozen=True)
class Options:
    """DeviceOptions."""

    replies: int = 1
    rows: int = 4
    vocab: int = 1024
    kernel: int = AUTO
    device: int = 0
    staged_bytes: int = 0


@dataclass(frozen=True)
class Reply:
    """One reply to auction: logits [rows, vocab], or their address on the device.

    `stride` and `dtype` describe logits given by address.
    """

    logits: NDArray[Any] | int
    weights: NDArray[Any]
    temperature: float
    draw: Draw | None = None  # None: argmax mode
    staged: bool = False
    top: bool = False
    vocab: int = 0
    stride: int = 0
    dtype: np.dtype[Any] | None = None


@dataclass(frozen=True)
class Answer(Outcome):
    """What came back for one reply; where status is not OK only row_status may mean something."""

    status: int


class Batch:
    """Replies in the library's own layout, and room for what comes back."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.count = len(replies)
        self.raw = (_DeviceReply * self.count)()
        self.results = (abi.Reply * self.count)()
        self.rows: list[NDArray[Any]] = []
        self.tops: list[tuple[NDArray[np.int32], NDArray[np.float32]] | None] = []
        self._keep: list[Any] = []
        for i, reply in enumerate(replies):
            self._fill(i, reply)

    def _fill(self, i: int, reply: Reply) -> None:
        weights = np.ascontiguousarray(reply.weights, dtype=np.float32)
        rows = len(weights)
        raw, draw = self.raw[i], reply.draw or Draw(0, 0, 0)
        if isinstance(reply.logits, int):
            address, vocab, stride, dtype = reply.logits, reply.vocab, reply.stride, reply.dtype
        else:
            logits = reply.logits
            assert logits.ndim == 2 and logits.shape[0] == rows, (logits.shape, rows)
            address, vocab, dtype = logits.ctypes.data, logits.shape[1], logits.dtype
            stride = logits.strides[0] // logits.itemsize if rows > 1 else vocab
        assert dtype is not None
        raw.input = abi.Input(
            address,
            weights.ctypes.data,
            stride,
            rows,
            vocab,
            _TYPES[np.dtype(dtype)],
            reply.temperature,
            abi.DrawKey(draw.seed, draw.conv, draw.index),
            Mode.ARGMAX if reply.draw is None else Mode.SAMPLE,
        )
        raw.staged = int(reply.staged)
        self.rows.append(np.zeros(rows, dtype=abi.ROW))
        raw.reply = ctypes.addressof(self.results[i])
        raw.rows = self.rows[i].ctypes.data
        self.tops.append(None)
        if reply.top:
            top = np.zeros((rows, TOP), np.int32), np.zeros((rows, rows * TOP), np.float32)
            self.tops[i] = top
            raw.top = abi.Top(top[0].ctypes.data, top[1].ctypes.data)
        self._keep.append((reply.logits, weights))

    def outcome(self, i: int) -> Answer:
        """What came back for reply i."""
        result, rows, top = self.results[i], self.rows[i], self.tops[i]
        return Answer(
            status=self.raw[i].status,
            token=result.token,
            ref_token=result.ref_token,
            margin=result.margin,
            blend_token=result.blend,
            near_tie=bool(result.near_tie),
            precise=bool(result.precise),
            drawn_row=result.drawn_row,
            p_token=rows["p_token"],
            pay=rows["pay"],
            critical_bid=rows["critical_bid"],
            log_z=rows["log_z"],
            w_minus=rows["w_minus"],
            row_status=rows["status"],
            top_id=top[0] if top else None,
            top_logit=top[1] if top else None,
        )


def load(library: Path) -> ctypes.CDLL:
    """The library with its functions declared."""
    lib = ctypes.CDLL(str(library))
    pointer, integer, long = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
    lib.skynet_device_open.argtypes = [pointer, pointer, integer]
    lib.skynet_device_open.restype = pointer
    lib.skynet_device_name.argtypes = [pointer]
    lib.skynet_device_name.restype = ctypes.c_char_p
    lib.skynet_device_stream.argtypes = [pointer]
    lib.skynet_device_stream.restype = pointer
    lib.skynet_device_submit.argtypes = [pointer, pointer, integer]
    lib.skynet_device_wait.argtypes = [pointer, long]
    lib.skynet_device_measure.argtypes = [pointer, pointer, integer, integer, pointer]
    lib.skynet_device_close.argtypes = [pointer]
    lib.skynet_device_close.restype = None
    return lib


class Device:
    """One engine; belongs to one thread."""

    def __init__(self, library: Path, options: Options) -> None:
        self.handle: int | None = None
        self.lib = load(library)
        self.options = options
        raw = _Options(
            options.device,
            options.replies,
            options.rows,
            options.vocab,
            options.kernel,
            0,
            options.staged_bytes,
        )
        error = ctypes.create_string_buffer(256)
        self.handle = self.lib.skynet_device_open(ctypes.byref(raw), error, len(error))
        if not self.handle:
            raise DeviceError(error.value.decode())

    @property
    def name(self) -> str:
        """Device and kernel."""
        text: bytes = self.lib.skynet_device_name(self.handle)
        return text.decode()

    @property
    def stream(self) -> int | None:
        """The engine's CUDA stream."""
        stream: int | None = self.lib.skynet_device_stream(self.handle)
        return stream

    def submit(self, batch: Batch) -> int:
        """Start the batch; a Status."""
        status: int = self.lib.skynet_device_submit(self.handle, batch.raw, batch.count)
        return status

    def wait(self, timeout_us: int = 60_000_000) -> int:
        """Wait for the batch submitted last; a Status."""
        status: int = self.lib.skynet_device_wait(self.handle, timeout_us)
        return status

    def run(self, replies: Sequence[Reply]) -> list[Answer]:
        """Submit and wait; DeviceError where either refuses."""
        batch = Batch(replies)
        for status in (self.submit(batch), self.wait()):
            if status != OK:
                raise DeviceError(f"status {status}", status)
        return [batch.outcome(i) for i in range(batch.count)]

    def measure(self, batch: Batch, repeats: int) -> NDArray[np.float64]:
        """Microseconds from submit to wait's return, for each of `repeats` runs."""
        us = np.zeros(repeats)
        status = self.lib.skynet_device_measure(
            self.handle, batch.raw, batch.count, repeats, us.ctypes.data
        )
        if status != OK:
            raise DeviceError(f"status {status}", status)
        return us

    def close(self) -> None:
        """Free the engine; safe to call twice."""
        if self.handle:
            self.lib.skynet_device_close(self.handle)
        self.handle = None

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
