# SPDX-License-Identifier: Apache-2.0
"""Block quantisation: one representation for GGUF blocks, fresh int4/int8 and AWQ.

A weight [N, K] is cut along K into blocks of 32. With the centre `c` = 8 (4 bit) or 128 (8 bit):

    w = scale * (code - c) + offset

A GGUF Q4_1 block (w = d*q + m) is therefore scale = d, offset = m + 8d: nothing is lost. Keeping
the offset outside the integer product lets ONNX Runtime use its fast symmetric kernel; the offset
comes back as `blocksum(x) @ offset`, a product 32 times smaller than the layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BLOCK = 32
F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class QuantTensor:
    """`codes` u8 [N, K/32, 32], `scale` f32 [N, K/32], `offset` f32 [N, K/32] or None for zero."""

    bits: int
    codes: U8
    scale: F32
    offset: F32 | None

    @property
    def centre(self) -> int:
        return 1 << (self.bits - 1)

    @property
    def rows(self) -> int:
        return self.codes.shape[0]

    @property
    def columns(self) -> int:
        return self.codes.shape[1] * BLOCK

    def take_rows(self, order: npt.NDArray[np.int64]) -> QuantTensor:
        """The same weight with its output rows reordered."""
        offset = None if self.offset is None else self.offset[order]
        return QuantTensor(self.bits, self.codes[order], self.scale[order], offset)

    def as_8_bit(self) -> QuantTensor:
        """The same values held in 8-bit codes (exact)."""
        if self.bits == 8:
            return self
        return QuantTensor(8, self.codes + np.uint8(128 - self.centre), self.scale, self.offset)

    def dequantise(self) -> F32:
        """Back to f32 [N, K]."""
        centred = self.codes.astype(np.float32) - np.float32(self.centre)
        values = centred * self.scale[..., None]
        if self.offset is not None:
            values = values + self.offset[..., None]
        return values.reshape(self.rows, self.columns)


def concatenate(parts: Sequence[QuantTensor]) -> QuantTensor:
    """Stack layers that share an input (Q, K, V or gate, up); mixed widths become 8 bit."""
    if len({part.bits for part in parts}) > 1:
        parts = [part.as_8_bit() for part in parts]
    offset = None
    if any(part.offset is not None for part in parts):
        offset = np.concatenate(
            [np.zeros_like(p.scale) if p.offset is None else p.offset for p in parts]
        )
    return QuantTensor(
        parts[0].bits,
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.scale for part in parts]),
        offset,
    )


def quantise_4_bit(weight: F32) -> QuantTensor:
    """Round to the nearest of 16 levels between each block's minimum and maximum (as Q4_1)."""
    blocks = _blocks(weight)
    low = blocks.min(axis=-1)
    scale = (blocks.max(axis=-1) - low) / np.float32(15)
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    levels = np.rint((blocks - low[..., None]) * inverse[..., None])
    codes = np.clip(levels, 0, 15).astype(np.uint8)
    return QuantTensor(4, codes, scale, low + np.float32(8) * scale)


def quantise_8_bit(weight: F32) -> QuantTensor:
    """Symmetric int8 with one scale per block (as Q8_0)."""
    blocks = _blocks(weight)
    scale = np.abs(blocks).max(axis=-1) / np.float32(127)
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    codes = (np.rint(blocks * inverse[..., None]) + 128).astype(np.uint8)
    return QuantTensor(8, codes, scale, None)


def pack_codes(tensor: QuantTensor) -> U8:
    """The layout of MatMulNBits' B: [N, K/32, 16], low nibble first, for 4 bit; as is for 8."""
    if tensor.bits == 8:
        return np.ascontiguousarray(tensor.codes)
    low, high = tensor.codes[..., 0::2], tensor.codes[..., 1::2]
    return np.asarray(low | (high << np.uint8(4)), np.uint8)


def unpack_codes(packed: U8, bits: int) -> U8:
    """The inverse of `pack_codes`."""
    if bits == 8:
        return packed
    pairs = np.stack([packed & 15, packed >> 4], axis=-1)
    return np.asarray(pairs.reshape(*packed.shape[:2], BLOCK), np.uint8)


def _blocks(weight: F32) -> F32:
    rows, columns = weight.shape
    return weight.reshape(rows, columns // BLOCK, BLOCK)
