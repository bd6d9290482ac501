# SPDX-License-Identifier: Apache-2.0
"""MiniLM's vectors of many texts, kept between runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bls.brain.context import files
from bls.brain.context.minilm import MiniLM

F32 = NDArray[np.float32]


class Embedded:
    """Args:
    kept: folder of earlier answers, by the hash of model and texts.
    """

    def __init__(self, loaded: files.EncoderFiles, kept: Path) -> None:
        self._minilm = MiniLM(loaded.model, loaded.tokenizer)
        self._mark = hashlib.sha256(loaded.model).digest()
        self._kept = kept

    def __call__(self, texts: Sequence[str]) -> F32:
        """f32 [n, 384] of unit norm."""
        digest = hashlib.sha256(self._mark)
        for text in texts:
            digest.update(hashlib.sha256(text.encode()).digest())
        path = self._kept / f"{digest.hexdigest()[:32]}.npy"
        if path.is_file():
            found: F32 = np.load(path, allow_pickle=False)
            return found
        made = np.stack([self._minilm.embed(text) for text in texts])
        self._kept.mkdir(parents=True, exist_ok=True)
        np.save(path, made, allow_pickle=False)
        return made
