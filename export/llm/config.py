# SPDX-License-Identifier: Apache-2.0
"""The shape of a llama-architecture decoder, checked once at construction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from export.errors import ExportError
from export.llm.quant import BLOCK, F32


@dataclass(frozen=True)
class LlamaConfig:
    """Sizes and constants; `rope_factors` divides each of the head_dim/2 rotary frequencies."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    max_context: int
    rms_eps: float
    rope_theta: float
    rope_factors: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("hidden", "intermediate", "attention"):
            if getattr(self, name) % BLOCK:
                raise ExportError(
                    "architecture_unsupported", f"{name} size must be a multiple of {BLOCK}"
                )
        if self.kv_heads < 1 or self.heads % self.kv_heads:
            raise ExportError(
                "architecture_unsupported",
                f"heads ({self.heads}) must be a multiple of kv_heads ({self.kv_heads})",
            )
        if self.head_dim % 16:
            raise ExportError("architecture_unsupported", "head_dim must be a multiple of 16")

    @property
    def attention(self) -> int:
        """Width of the attention output, heads x head_dim."""
        return self.heads * self.head_dim

    @property
    def packed_qkv(self) -> int:
        """Width of the packed Q, K and V projection."""
        return (self.heads + 2 * self.kv_heads) * self.head_dim

    def rotary_tables(self) -> tuple[F32, F32]:
        """cos and sin, each f32 [max_context, head_dim / 2], computed in double precision."""
        exponent = np.arange(0, self.head_dim, 2, dtype=np.float64) / self.head_dim
        frequency = self.rope_theta**-exponent
        if self.rope_factors is not None:
            frequency = frequency / np.asarray(self.rope_factors, np.float64)
        angle = np.outer(np.arange(self.max_context, dtype=np.float64), frequency)
        return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
