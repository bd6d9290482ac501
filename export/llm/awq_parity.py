# SPDX-License-Identifier: Apache-2.0
"""How far each 4-bit matrix is from its float one: `awq_parity.csv` (content_generation U-08).

128 activations per matrix, drawn from N(0, 1) and scaled so that the float output has a standard
deviation of 1: a delta is then in units of the output. Two errors are told apart: of the weights
alone (activations in f32), and as served, with activations rounded to int8 in blocks of 32.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from export.llm.awq_scales import AwqCheckpoint, matrices
from export.llm.quant import BLOCK, F32

ACTIVATIONS = 128
GOAL = 0.02
"""The seed's."""

Weight = Callable[[int, str], F32]


@dataclass(frozen=True)
class MatrixParity:
    """Largest and root-mean-square |delta| over 128 x out outputs of standard deviation 1."""

    layer: int
    matrix: str
    weights_max: float
    weights_rms: float
    served_max: float
    served_rms: float


def compare(checkpoint: AwqCheckpoint, float_weight: Weight, seed: int = 0) -> list[MatrixParity]:
    """Every matrix, the same activations for all of a width."""
    rng = np.random.default_rng([seed, ACTIVATIONS])
    widths = (checkpoint.config.hidden, checkpoint.config.attention, checkpoint.config.intermediate)
    drawn = {
        width: rng.standard_normal((ACTIVATIONS, width)).astype(np.float32)
        for width in sorted(set(widths))
    }
    return [
        _matrix(checkpoint, float_weight, layer, kind, drawn)
        for layer, kind in matrices(checkpoint)
    ]


def _matrix(
    checkpoint: AwqCheckpoint, float_weight: Weight, layer: int, kind: str, drawn: dict[int, F32]
) -> MatrixParity:
    weight = float_weight(layer, kind)
    x = drawn[weight.shape[1]]
    exact = x @ weight.T
    x, exact = x / exact.std(), exact / exact.std()
    carried = checkpoint.output_scale(layer, kind)
    rounded = checkpoint.projection(layer, kind).dequantise()
    scaled = x * checkpoint.input_scale(layer, kind)
    weights = np.abs((scaled @ rounded.T) / carried - exact)
    served = np.abs((int8_blocks(scaled) @ rounded.T) / carried - exact)
    return MatrixParity(
        layer, kind, float(weights.max()), _rms(weights), float(served.max()), _rms(served)
    )


def int8_blocks(x: F32) -> F32:
    """Activations as MatMulNBits at accuracy level 4 sees them: int8, one scale per block of 32."""
    blocks = x.reshape(*x.shape[:-1], -1, BLOCK)
    scale = np.abs(blocks).max(axis=-1, keepdims=True) / np.float32(127)
    codes = np.rint(np.divide(blocks, scale, out=np.zeros_like(blocks), where=scale > 0))
    return np.asarray((codes * scale).reshape(x.shape), np.float32)


def write_csv(rows: list[MatrixParity], path: Path) -> None:
    """One line per matrix."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])))
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def _rms(values: F32) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
