# SPDX-License-Identifier: Apache-2.0
"""Random and adversarial replies to auction, each made from a seed and its number alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels_cuda.contract import Draw

Random = np.random.Generator
Floats = NDArray[np.float64]

LARGEST_VOCAB = 152_064
MOST_ROWS = 16
VOCABS = (4, 5, 63, 64, 65, 127, 448, 449, 2048, 2049, 49_152, 50_007, LARGEST_VOCAB)
TEMPERATURES = (1e-3, 0.02, 0.3, 0.7, 0.7, 0.7, 1.0, 1.5, 30.0, 1e4)
HALF_LIMIT = 60_000.0  # float16 overflows at 65,520


@dataclass(frozen=True)
class Case:
    """One reply; logits are float32, float16 or bfloat16 bits, temperature exactly a float32."""

    kind: str
    logits: NDArray[Any]
    weights: NDArray[np.float32]
    temperature: float
    draw: Draw | None  # None: argmax mode

    @property
    def args(self) -> tuple[NDArray[Any], NDArray[np.float32], float]:
        return self.logits, self.weights, self.temperature


def normal(rng: Random, z: Floats) -> None:
    z *= rng.choice([0.1, 0.5, 1.0, 2.0, 3.0, 5.0])


def peaked(rng: Random, z: Floats) -> None:
    """A language model's row: a bulk far below a few candidates the rows share."""
    count = min(z.shape[1], int(rng.integers(1, 40)))
    favourites = rng.choice(z.shape[1], count, replace=False)
    z[:, favourites] += rng.uniform(5, 15, count) + rng.normal(size=(len(z), count))


def similar_rows(rng: Random, z: Floats) -> None:
    """Advertisers that hardly move the reference: payments are small differences."""
    z[1:] = z[0] + z[1:] * 10.0 ** rng.uniform(-6, -1)
    z *= 3


def equal_rows(rng: Random, z: Floats) -> None:
    z[:] = z[rng.integers(len(z))] * 3


def integers(rng: Random, z: Floats) -> None:
    """Few different values: ties, and thousands of equal terms that round alike."""
    np.round(z * rng.choice([0.5, 1.0, 2.0]), out=z)


def two_levels(rng: Random, z: Floats) -> None:
    z[:] = 0
    for row in z:
        chosen = rng.choice(z.shape[1], min(z.shape[1], 3), replace=False)
        row[chosen] = rng.choice([1.0, 5.0, 9.0], len(chosen))


def uniform(rng: Random, z: Floats) -> None:
    z[:] = rng.normal()


def mirrored(_rng: Random, z: Floats) -> None:
    """Rows that are each other's mirror images tie in real arithmetic only."""
    z *= 2
    z[1::2] = z[: len(z) - len(z) % 2 : 2, ::-1]


def hair_apart(rng: Random, z: Floats) -> None:
    """Two leading tokens one float32 step apart in one row."""
    first, second = rng.choice(z.shape[1], 2, replace=False)
    z[:, [first, second]] = 9.0
    z[-1, first] = np.nextafter(np.float32(9), np.float32(10))


def masked(rng: Random, z: Floats) -> None:
    z *= 3
    z[:, rng.random(z.shape[1]) < rng.choice([0.1, 0.9])] = -np.inf
    z[:, rng.integers(z.shape[1])] = 1.0


def one_hot(rng: Random, z: Floats) -> None:
    z[:] = -np.inf
    z[np.arange(len(z)), rng.integers(z.shape[1], size=len(z))] = rng.normal()


def far_from_zero(rng: Random, z: Floats) -> None:
    z *= rng.choice([1.0, 30.0])
    z += rng.choice([-1e4, 1e4, 3e5])


def broken_rows(rng: Random, z: Floats) -> None:
    """NaN, infinite and empty rows, now and then the reference itself."""
    for row in z[rng.random() < 0.95 :]:
        if rng.random() < 0.4:
            row[rng.integers(len(row))] = rng.choice([np.nan, np.inf])
        elif rng.random() < 0.2:
            row[:] = -np.inf


KINDS: tuple[Callable[[Random, Floats], None], ...] = (
    normal,
    normal,
    peaked,
    peaked,
    similar_rows,
    equal_rows,
    integers,
    two_levels,
    uniform,
    mirrored,
    hair_apart,
    masked,
    one_hot,
    far_from_zero,
    broken_rows,
)


def bids(rng: Random, rows: int) -> NDArray[np.float32]:
    """Usually of the reference's order; else zeros, extremes or unusable ones among them."""
    weights = np.r_[1.0, rng.uniform(0, 2, rows - 1)]
    odd = rng.random(rows) < 0.3
    match rng.integers(8):
        case 0:
            weights[odd] = 0.0
        case 1:
            weights *= 10.0 ** rng.uniform(-30, 30)
        case 2:
            weights[odd] = 10.0 ** rng.uniform(-12, 6, odd.sum())
        case 3:
            odd[0] = False
            weights[odd] = rng.choice([np.nan, np.inf, -1.0], odd.sum())
    return np.asarray(weights, np.float32)


def stored(rng: Random, z: Floats) -> NDArray[Any]:
    """As float32, float16 or bfloat16 bits."""
    kind = rng.integers(4)
    if kind == 0:
        finite = np.isfinite(z)
        return np.where(finite, np.clip(z, -HALF_LIMIT, HALF_LIMIT), z).astype(np.float16)
    single = z.astype(np.float32)
    return (single.view(np.uint32) >> 16).astype(np.uint16) if kind == 1 else single


def make(number: int, seed: int = 0, most: int = LARGEST_VOCAB) -> Case:
    """Case `number` of a seed, with a vocabulary of 4 to `most` and 1 to 16 rows."""
    rng = np.random.default_rng([seed, number])
    kind = KINDS[number % len(KINDS)]
    vocab = int(np.exp(rng.uniform(np.log(4), np.log(most + 1))))
    if rng.random() < 0.3:
        vocab = int(rng.choice([size for size in VOCABS if size <= most]))
    rows = int(rng.integers(1, MOST_ROWS + 1)) if rng.random() < 0.5 else int(rng.integers(1, 6))
    z = rng.normal(size=(rows, vocab))
    kind(rng, z)
    weights = bids(rng, rows)
    temperature = float(np.float32(rng.choice(TEMPERATURES)))
    words = (int(word) for word in rng.integers(1 << 64, size=3, dtype=np.uint64))
    draw = Draw(*words) if rng.random() < 0.5 else None
    return Case(kind.__name__, stored(rng, z), weights, temperature, draw)
