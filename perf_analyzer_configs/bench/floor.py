# SPDX-License-Identifier: Apache-2.0
"""The bare floor: onnxruntime alone, same graph, same rows, same positions, same machine."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from bls.limits import LIMITS
from bls.llm.kv_cache import KVCache
from bls.llm.session import LLMSession, SessionOptions


class Floor:
    """One session with IO binding in place; nothing else runs while it does."""

    def __init__(self, model: Path, threads: int) -> None:
        self._session = LLMSession(model, SessionOptions(threads, LIMITS.kv_rows))
        self._cache = KVCache(self._session.manifest, LIMITS.kv_rows, LIMITS.row_tokens)

    def steps(self, rows: int, past: int, count: int) -> list[float]:
        """Seconds of each of `count` decode steps of `rows` rows, the first at `past`."""
        taken = []
        tokens = np.arange(rows, dtype=np.int64) + 100
        for step in range(count):
            positions = np.full(rows, past + step, np.int32)
            began = time.perf_counter()
            self._session.decode(self._cache, 0, tokens, positions)
            taken.append(time.perf_counter() - began)
        return taken

    def prefill(self, tokens: int, chunk: int) -> float:
        """Seconds for one row's prompt, in chunks; `chunk >= tokens` runs it in one piece."""
        ids = np.random.default_rng(0).integers(20, 40_000, tokens)
        began = time.perf_counter()
        for start in range(0, tokens, chunk):
            self._session.prefill(self._cache, 0, ids[start : start + chunk], start)
        return time.perf_counter() - began
