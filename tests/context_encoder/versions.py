# SPDX-License-Identifier: Apache-2.0
"""Versions of the axes as the nightly job writes them: other rows, the same MiniLM."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from bls.brain.context import axes, files
from export.context_encoder.write import write
from export.llm.safetensors_file import SafetensorsFiles

SHIPPED = SafetensorsFiles(files.FOLDER).floats(axes.P_K)


def turned(seed: int) -> np.ndarray:
    """The shipped axes within their subspace, turned: f32 [128, 384], orthonormal."""
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(128, 128)))[0]
    return (turn @ SHIPPED).astype(np.float32)


def write_axes(folder: Path, seed: int = 1, p_k: np.ndarray | None = None) -> Path:
    """A folder like that of a promoted version."""
    folder.mkdir(parents=True)
    shutil.copy(files.FOLDER / files.TOKENIZER, folder / files.TOKENIZER)
    rows = turned(seed) if p_k is None else p_k.astype(np.float32)
    write(folder, rows, version=str(seed), dataset_sha256="0" * 64, seed=seed, metrics={})
    return folder
