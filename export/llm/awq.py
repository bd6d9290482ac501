# SPDX-License-Identifier: Apache-2.0
"""Lossless repack of AWQ checkpoints ("gemm" packing, 4 bit, with zero points).

AutoAWQ stores w[out, in] = (q - z) * s as `qweight` int32 [in, out/8], `qzeros` int32
[in/group, out/8] and `scales` f16 [in/group, out]; nibble i of a word holds column `_ORDER[i]` of
its eight. With blocks of 32 inside each group: scale = s, offset = (8 - z) * s, both exact in f32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from export.errors import ExportError
from export.llm.quant import BLOCK, U8, QuantTensor
from export.llm.safetensors_file import SafetensorsFiles

_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


def check_awq(settings: dict[str, Any]) -> None:
    """Raise `awq_unsupported` for any AWQ flavour but 4-bit gemm packing with groups of 32k."""
    bits, version = settings.get("bits"), str(settings.get("version", "gemm")).lower()
    group = settings.get("group_size", 0)
    if bits != 4 or version != "gemm" or group <= 0 or group % BLOCK:
        raise ExportError(
            "awq_unsupported",
            f"expected 4 bits, gemm packing and a group size that is a multiple of {BLOCK}; "
            f"got {bits} bits, {version}, group {group}",
        )


def read_awq(files: SafetensorsFiles, prefix: str) -> QuantTensor:
    """The projection `prefix` (its `.qweight`, `.qzeros`, `.scales`) as blocks of 32."""
    codes = unpack_awq(files.integers(prefix + ".qweight")).T  # [out, in]
    zeros = unpack_awq(files.integers(prefix + ".qzeros")).T.astype(np.float32)
    scale = files.floats(prefix + ".scales").T
    rows, columns = codes.shape
    repeat = columns // scale.shape[1] // BLOCK
    offset = (np.float32(8) - zeros) * scale
    return QuantTensor(
        4,
        np.ascontiguousarray(codes).reshape(rows, columns // BLOCK, BLOCK),
        np.repeat(scale, repeat, axis=1),
        np.repeat(offset, repeat, axis=1),
    )


def unpack_awq(words: npt.NDArray[np.int32]) -> U8:
    """int32 [n, m/8] -> u8 [n, m] with columns in their true order."""
    shifts = np.arange(0, 32, 4, dtype=np.uint32)
    nibbles = (words.view(np.uint32)[..., None] >> shifts) & np.uint32(15)
    ordered = np.empty(nibbles.shape, np.uint8)
    ordered[..., list(_ORDER)] = nibbles
    return ordered.reshape(words.shape[0], -1)
