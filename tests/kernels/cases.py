# SPDX-License-Identifier: Apache-2.0
"""What the kernel tests share: where things are, and random replies to auction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
KERNELS = ROOT / "kernels_cuda"


@dataclass(frozen=True)
class Case:
    """One reply to auction; temperature is exactly a float32."""

    logits: NDArray
    weights: NDArray[np.float32]
    temperature: float

    @property
    def args(self) -> tuple[NDArray, NDArray[np.float32], float]:
        return self.logits, self.weights, self.temperature


def make_case(
    rng: np.random.Generator, rows: int = 4, vocab: int = 200, scale: float = 3.0
) -> Case:
    """Random normal logits and bids of the order of the reference's weight."""
    logits = (rng.normal(size=(rows, vocab)) * scale).astype(np.float32)
    weights = rng.uniform(0.0, 2.0, size=rows).astype(np.float32)
    weights[0] = 1.0
    return Case(logits, weights, float(np.float32(rng.choice([0.5, 0.7, 1.0, 1.5]))))
