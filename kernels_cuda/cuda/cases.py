# SPDX-License-Identifier: Apache-2.0
"""Random replies that look for trouble: sizes, types, ties, masks, broken rows, odd weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels_cuda.contract import Draw
from kernels_cuda.cuda.device import Reply

SMALL = (1, 2, 4, 7, 8, 9, 63, 64, 65, 255, 300, 1000, 2049, 3000)


def to_bf16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """bfloat16 bit patterns, rounded towards zero."""
    bits: NDArray[np.uint16] = (values.view(np.uint32) >> 16).astype(np.uint16)
    return bits


def typed(rng: np.random.Generator, values: NDArray[np.float32]) -> NDArray[Any]:
    """The values as f32, f16 or bf16."""
    kind = rng.integers(3)
    if kind == 0:
        return values
    return values.astype(np.float16) if kind == 1 else to_bf16(values)


def logits(rng: np.random.Generator, rows: int, vocab: int) -> NDArray[np.float32]:
    """Normal logits, in some cases with ties, masked tokens or rows alike."""
    scale = rng.choice([0.0, 0.1, 1.0, 3.0, 8.0], p=[0.02, 0.18, 0.3, 0.3, 0.2])
    z: NDArray[np.float32] = (rng.normal(size=(rows, vocab)) * scale).astype(np.float32)
    kind = rng.random()
    if kind < 0.1:
        z = np.round(z)
    elif kind < 0.2:
        z[:, rng.random(vocab) < 0.6] = -np.inf
    elif kind < 0.3:
        z[1:] = z[0] + (rng.random((rows - 1, vocab)) < 0.02).astype(np.float32)
    if rng.random() < 0.2:
        z += np.float32(rng.choice([-300.0, 40.0, 1000.0]))
    return z


def weights(rng: np.random.Generator, rows: int) -> NDArray[np.float32]:
    """Bids of the order of the reference's weight, some far from it."""
    w = rng.uniform(0.0, 2.0, size=rows)
    w[rng.random(rows) < 0.1] = 0.0
    if rng.random() < 0.1:
        w *= 10.0 ** rng.integers(-6, 7, size=rows)
    w[0] = rng.choice([1.0, 0.25, 4.0])
    return w.astype(np.float32)


def break_rows(rng: np.random.Generator, z: NDArray[Any], w: NDArray[np.float32]) -> None:
    """One advertiser gets a NaN, +inf, an empty row or a bad weight."""
    if len(w) < 2:
        return
    k, x = rng.integers(1, len(w)), rng.integers(z.shape[1])
    kind = rng.integers(4)
    if kind == 0:
        z[k, x] = np.nan
    elif kind == 1:
        z[k, x] = np.inf
    elif kind == 2:
        z[k] = -np.inf
    else:
        w[k] = rng.choice([np.nan, np.inf, -1.0])


def draw(rng: np.random.Generator) -> Draw:
    """Any three numbers."""
    seed, conv, index = (int(word) for word in rng.integers(0, 2**64, 3, dtype=np.uint64))
    return Draw(seed, conv, index)


def reply(
    rng: np.random.Generator,
    rows: int | None = None,
    vocab: int | None = None,
    sample: bool | None = None,
) -> Reply:
    """One random reply; its reference row is sound."""
    rows = int(rng.choice([1, 2, 3, 4, 5, 8, 12])) if rows is None else rows
    vocab = int(rng.choice(SMALL)) if vocab is None else vocab
    sample = bool(rng.integers(2)) if sample is None else sample
    z, w = logits(rng, rows, vocab), weights(rng, rows)
    if not np.isfinite(z[0]).any():
        z[0, 0] = 0.0
    if rng.random() < 0.1:
        break_rows(rng, z, w)
    temperature = float(np.float32(rng.choice([0.5, 0.7, 1.0, 1.5])))
    return Reply(typed(rng, z), w, temperature, draw(rng) if sample else None)
