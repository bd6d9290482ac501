# SPDX-License-Identifier: Apache-2.0
"""Embeddings of many ad texts: MiniLM's, one text at a time on each of a few threads.

The runtime leaves Python's lock while it computes, so threads do; a text's vector is the same
whoever computes it (`bls.brain.context.minilm`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bls.brain.context import files
from bls.brain.context.minilm import MiniLM
from bls.errors import SkynetError

Key = tuple[str, int]
"""msg_id and version."""

_THREADS = min(2, os.cpu_count() or 1)


class Embedder:
    """Raises `model_missing`, `model_hash_mismatch` or `model_invalid` when made."""

    def __init__(self, folder: Path = files.FOLDER, threads: int = _THREADS) -> None:
        loaded = files.load(folder)
        self._minilm = MiniLM(loaded.model, loaded.tokenizer)
        self._pool = ThreadPoolExecutor(threads, "embed")

    def __call__(self, texts: Mapping[Key, str]) -> dict[Key, NDArray[np.float32]]:
        """f32 [384] of unit norm by key; a text of which nothing can be embedded is left out."""
        made = self._pool.map(self._one, texts.values())
        return {key: vector for key, vector in zip(texts, made, strict=True) if vector is not None}

    def _one(self, text: str) -> NDArray[np.float32] | None:
        try:
            return self._minilm.embed(text)
        except SkynetError:
            return None

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)
