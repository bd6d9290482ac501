# SPDX-License-Identifier: Apache-2.0
"""The CUDA driver through ctypes: device memory, events and graphs, for checks and timings.

Needs libcuda, which comes with the GPU's driver, and nothing of the toolkit.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import byref, c_char_p, c_float, c_int, c_size_t, c_uint64, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CAPTURE_RELAXED = 2


class DriverError(RuntimeError):
    """The driver is missing, or a call failed."""


class Driver:
    """The primary context of one device, current on the calling thread."""

    def __init__(self, device: int = 0) -> None:
        try:
            self._lib = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise DriverError(f"no CUDA driver: {error}") from error
        self._call("cuInit", 0)
        handle, context = c_int(), c_void_p()
        self._call("cuDeviceGet", byref(handle), device)
        self._call("cuDevicePrimaryCtxRetain", byref(context), handle)
        self._call("cuCtxSetCurrent", context)
        self._memory: list[int] = []

    def version(self) -> str:
        """The driver's CUDA version, such as 13.0."""
        number = c_int()
        self._call("cuDriverGetVersion", byref(number))
        return f"{number.value // 1000}.{number.value % 1000 // 10}"

    def free_bytes(self) -> int:
        """Device memory left."""
        free, total = c_size_t(), c_size_t()
        self._call("cuMemGetInfo_v2", byref(free), byref(total))
        return free.value

    def allocate(self, size: int) -> int:
        """Device memory of `size` bytes; freed by `release`."""
        address = c_uint64()
        self._call("cuMemAlloc_v2", byref(address), c_size_t(size))
        self._memory.append(address.value)
        return address.value

    def upload(self, values: NDArray[Any], address: int | None = None) -> int:
        """Copy to the device; returns the address."""
        values = np.ascontiguousarray(values)
        address = self.allocate(max(values.nbytes, 1)) if address is None else address
        source = c_void_p(values.ctypes.data)
        self._call("cuMemcpyHtoD_v2", c_uint64(address), source, c_size_t(values.nbytes))
        return address

    def release(self) -> None:
        """Free all device memory taken through this object."""
        for address in self._memory:
            self._call("cuMemFree_v2", c_uint64(address))
        self._memory.clear()

    def copy(self, to: int, source: int, size: int, stream: int | None) -> None:
        """Device to device, in stream order."""
        call = "cuMemcpyDtoDAsync_v2"
        self._call(call, c_uint64(to), c_uint64(source), c_size_t(size), c_void_p(stream))

    def elapsed_us(self, work: Callable[[], object], stream: int | None) -> float:
        """Device time between two events around what `work` enqueues on the stream."""
        start, end = c_void_p(), c_void_p()
        for event in (start, end):
            self._call("cuEventCreate", byref(event), 0)
        self._call("cuEventRecord", start, c_void_p(stream))
        work()
        self._call("cuEventRecord", end, c_void_p(stream))
        self._call("cuEventSynchronize", end)
        ms = c_float()
        self._call("cuEventElapsedTime", byref(ms), start, end)
        for event in (start, end):
            self._call("cuEventDestroy_v2", event)
        return ms.value * 1000

    def capture(self, work: Callable[[], object], stream: int | None) -> int:
        """A graph of what `work` enqueues on the stream; nothing runs yet."""
        graph = c_void_p()
        self._call("cuStreamBeginCapture_v2", c_void_p(stream), _CAPTURE_RELAXED)
        work()
        self._call("cuStreamEndCapture", c_void_p(stream), byref(graph))
        return graph.value or 0

    def chain(self, graph: int, times: int) -> Callable[[int | None], None]:
        """A function that launches `graph` that many times, one after the other, as one graph."""
        whole, runnable, before = c_void_p(), c_void_p(), c_void_p()
        self._call("cuGraphCreate", byref(whole), 0)
        for i in range(times):
            node = c_void_p()
            after = (c_void_p * 1)(before)
            add = "cuGraphAddChildGraphNode"
            self._call(add, byref(node), whole, after, c_size_t(min(i, 1)), c_void_p(graph))
            before = node
        self._call("cuGraphInstantiateWithFlags", byref(runnable), whole, c_uint64(0))

        def launch(stream: int | None) -> None:
            self._call("cuGraphLaunch", runnable, c_void_p(stream))

        return launch

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._lib, name)(*arguments)
        if status:
            text = c_char_p()
            self._lib.cuGetErrorString(status, byref(text))
            raise DriverError(f"{name}: {(text.value or b'?').decode()}")
