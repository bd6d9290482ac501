# SPDX-License-Identifier: Apache-2.0
"""How long batches take on a GPU, seen by the host and by the device, beside their floor.

The floor of a batch is its logits' bytes over the bandwidth of a plain device-to-device copy,
measured in the same run (bytes read plus bytes written).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kernels_cuda.cuda.device import (
    CLUSTER,
    NAIVE,
    PORTABLE,
    Batch,
    Device,
    DeviceError,
    Options,
    Reply,
)
from kernels_cuda.cuda.driver import Driver, DriverError

KERNELS = {NAIVE: "naive", PORTABLE: "portable", CLUSTER: "cluster"}
DTYPES: dict[str, np.dtype[Any]] = {"f16": np.dtype(np.float16), "f32": np.dtype(np.float32)}
DISTINCT = 8  # replies of different content; larger batches repeat them at other addresses
CHAIN = 20


@dataclass(frozen=True)
class Shape:
    """One batch to time."""

    kernel: int
    replies: int
    rows: int
    vocab: int
    dtype: str

    @property
    def bytes(self) -> int:
        return self.replies * self.rows * self.vocab * DTYPES[self.dtype].itemsize


@dataclass(frozen=True)
class Timing:
    """Microseconds; percent of the copy bandwidth that the kernel's time comes to."""

    shape: Shape
    host_median: float
    host_p95: float
    event: float
    graph: float | None  # None: the batch could not be captured
    floor: float

    @property
    def kernel(self) -> float:
        return self.event if self.graph is None else self.graph

    @property
    def percent(self) -> float:
        return 100 * self.floor / self.kernel


def shapes() -> Iterator[Shape]:
    """The fused kernels on every size, the naive one where it is quick enough to wait for."""
    for dtype in DTYPES:
        for replies in (1, 8, 64, 256):
            yield Shape(NAIVE, replies, 4, 49_152, dtype)
            for vocab in (49_152, 50_007, 152_064):
                for rows in (4, 8, 16):
                    for kernel in (PORTABLE, CLUSTER):
                        yield Shape(kernel, replies, rows, vocab, dtype)


def copy_bandwidth(driver: Driver, size: int = 1 << 30) -> float:
    """Bytes per microsecond, read plus written, of the best of ten plain copies."""
    a, b = driver.allocate(size), driver.allocate(size)
    driver.copy(b, a, size, None)
    best = min(driver.elapsed_us(lambda: driver.copy(b, a, size, None), None) for _ in range(10))
    driver.release()
    return 2 * size / best


def make_batch(driver: Driver, shape: Shape) -> Batch:
    """Replies with logits in device memory, every one at an address of its own."""
    rng = np.random.default_rng(7)
    dtype = DTYPES[shape.dtype]
    distinct = [
        (rng.standard_normal((shape.rows, shape.vocab), np.float32) * 3).astype(dtype)
        for _ in range(min(shape.replies, DISTINCT))
    ]
    weights = np.linspace(1.0, 0.5, shape.rows).astype(np.float32)
    replies = [
        Reply(
            driver.upload(distinct[i % DISTINCT]),
            weights,
            0.75,
            vocab=shape.vocab,
            stride=shape.vocab,
            dtype=dtype,
        )
        for i in range(shape.replies)
    ]
    return Batch(replies)


def submit_to(device: Device, batch: Batch) -> None:
    """Submit, or raise."""
    status = device.submit(batch)
    if status:
        raise DeviceError(f"status {status}", status)


def event_us(driver: Driver, device: Device, batch: Batch) -> float:
    """Device time between events around one submission."""
    times = []
    for _ in range(CHAIN):
        times.append(driver.elapsed_us(lambda: submit_to(device, batch), device.stream))
        device.wait()
    return float(np.median(times))


def graph_us(driver: Driver, device: Device, batch: Batch) -> float:
    """Device time of one submission within a graph of CHAIN captured ones."""
    stream = device.stream
    launch = driver.chain(driver.capture(lambda: submit_to(device, batch), stream), CHAIN)
    launch(stream)
    device.wait()
    times = [driver.elapsed_us(lambda: launch(stream), stream) for _ in range(9)]
    return float(np.median(times)) / CHAIN


def captured_us(driver: Driver, library: Path, options: Options, batch: Batch) -> float | None:
    """graph_us on an engine of its own, which a failed capture leaves unusable."""
    try:
        with Device(library, options) as device:
            return graph_us(driver, device, batch)
    except (DriverError, DeviceError):
        return None


def time_shape(driver: Driver, library: Path, shape: Shape, bandwidth: float) -> Timing | None:
    """One line of the table; None where the shape fits neither the memory nor the kernel."""
    naive = shape.bytes * 8 // DTYPES[shape.dtype].itemsize if shape.kernel == NAIVE else 0
    if 1.3 * (shape.bytes + naive) + (1 << 30) > driver.free_bytes():
        return None
    options = Options(
        replies=shape.replies,
        rows=shape.rows,
        vocab=shape.vocab,
        kernel=shape.kernel,
        staged_bytes=4096,
    )
    try:
        batch = make_batch(driver, shape)
        with Device(library, options) as device:
            device.measure(batch, 3)
            if any(raw.status for raw in batch.raw):
                return None
            host = device.measure(batch, 2000 if shape.replies == 1 else 200)
            event = event_us(driver, device, batch)
        graph = captured_us(driver, library, options, batch)
    finally:
        driver.release()
    median, p95 = np.percentile(host, [50, 95])
    return Timing(shape, float(median), float(p95), event, graph, shape.bytes / bandwidth)
