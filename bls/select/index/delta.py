# SPDX-License-Identifier: Apache-2.0
"""Vectors that came after a generation was built: few, and looked at one by one."""

from __future__ import annotations

import numpy as np

from bls.contracts import CTX
from bls.select.index.protocol import F32

_FIRST = 256


class Delta:
    """One thread adds, others read; `vectors` is what was there when it was asked for."""

    def __init__(self) -> None:
        self._held = np.empty((_FIRST, CTX), np.float32)
        self.vectors: F32 = self._held[:0]

    def add(self, vector: F32) -> None:
        """One more row, f32 [128]."""
        at = len(self.vectors)
        if at == len(self._held):
            self._held = np.concatenate([self._held, np.empty_like(self._held)])
        self._held[at] = vector
        self.vectors = self._held[: at + 1]
