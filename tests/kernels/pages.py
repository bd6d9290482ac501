# SPDX-License-Identifier: Apache-2.0
"""Memory of our own whose pages can be walled off, so that a stray access kills the process."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_LIBC.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


class Pages:
    """A copy of `values` that ends where an unreadable page begins."""

    def __init__(self, values: np.ndarray) -> None:
        page = mmap.PAGESIZE
        self._body = (values.nbytes + page - 1) // page * page
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        access = mmap.PROT_READ | mmap.PROT_WRITE
        self._base = _LIBC.mmap(None, self._body + page, access, flags, -1, 0)
        assert self._base != ctypes.c_void_p(-1).value
        assert _LIBC.mprotect(self._base + self._body, page, 0) == 0
        start = self._base + self._body - values.nbytes
        ctypes.memmove(start, values.ctypes.data, values.nbytes)
        raw = (ctypes.c_byte * values.nbytes).from_address(start)
        self.values = np.frombuffer(raw, dtype=values.dtype).reshape(values.shape)

    def allow(self, access: int) -> None:
        """PROT_READ | PROT_WRITE, PROT_READ or 0 from now on."""
        assert _LIBC.mprotect(self._base, self._body, access) == 0

    def unmap(self) -> None:
        assert _LIBC.munmap(self._base, self._body + mmap.PAGESIZE) == 0


@contextmanager
def before_a_wall(values: np.ndarray) -> Iterator[np.ndarray]:
    """A copy of `values` whose last byte is followed by an unreadable page."""
    pages = Pages(values)
    try:
        yield pages.values
    finally:
        pages.unmap()
