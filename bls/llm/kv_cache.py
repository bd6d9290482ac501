# SPDX-License-Identifier: Apache-2.0
"""KV memory: per layer one keys and one values array, rows first.

Rows lead so that any run of neighbouring rows is one contiguous tensor, which the graph updates
in place (past and present are the same buffer). Pages are touched on first use, so a large pool
costs memory only for the rows and positions that were really written.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.manifest import LLMManifest


class KVCache:
    """`rows` x `length` positions of every layer; each array is f32 [rows, kv_heads, length, d].

    All layers sit in one allocation, so freeing or moving rows never fragments memory.
    """

    def __init__(self, manifest: LLMManifest, rows: int, length: int) -> None:
        self.rows = rows
        self.length = length
        self.layers = manifest.layers
        head_dim = manifest.head_dim
        shape = (2 * manifest.layers, rows, manifest.kv_heads, length, head_dim)
        self._store: NDArray[np.float32] = np.zeros(shape, np.float32)
        self._names = [f"key_{i}" for i in range(self.layers)]
        self._names += [f"value_{i}" for i in range(self.layers)]

    def tensors(self, start: int, rows: int) -> list[tuple[str, tuple[int, ...], int]]:
        """(name, shape, address) of every layer's `key_l` / `value_l`, rows start..start+rows."""
        views = ((name, self._store[i, start : start + rows]) for i, name in enumerate(self._names))
        return [(name, view.shape, view.ctypes.data) for name, view in views]

    def copy_row(self, source: KVCache, source_row: int, row: int, tokens: int) -> None:
        """Copy the first `tokens` positions of one row, from this or another cache."""
        if tokens:
            self._store[:, row, :, :tokens] = source._store[:, source_row, :, :tokens]


class RowAllocator:
    """Contiguous runs of rows out of a fixed number, first fit."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._runs: dict[int, int] = {}

    @property
    def in_use(self) -> int:
        return sum(self._runs.values())

    def allocate(self, rows: int) -> int | None:
        """First row of a free run of `rows` rows, or None when there is none."""
        start = 0
        for taken, length in sorted(self._runs.items()):
            if taken - start >= rows:
                break
            start = taken + length
        if start + rows > self.rows:
            return None
        self._runs[start] = rows
        return start

    def free(self, start: int) -> None:
        """Give a run back. A run that is not allocated is a fault of ours."""
        del self._runs[start]
