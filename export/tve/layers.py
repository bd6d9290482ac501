# SPDX-License-Identifier: Apache-2.0
"""Attention written as matrix products, so that the exported graph is plain ONNX."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_NO = -1e9  # added to the score of a padded key; finite, so that a row of padding is not NaN


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[n, L, d] -> [n, heads, L, d / heads]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax attention [n, heads, q, d]; `mask` f32 [n, L] is 1 where a key counts."""
    score = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    if mask is not None:
        score = score + (1.0 - mask)[:, None, None, :] * _NO
    return score.softmax(-1) @ value


class Layer(nn.Module):  # type: ignore[misc]
    """One pre-norm self-attention layer with its feed-forward."""

    def __init__(self, width: int, heads: int, feed: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, feed * width), nn.Linear(feed * width, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """f32 [n, L, width], mask f32 [n, L] or none -> [n, L, width]."""
        parts = self.qkv(self.norm_1(x)).chunk(3, -1)
        query, key, value = (split_heads(part, self.heads) for part in parts)
        mixed = attend(query, key, value, mask).transpose(1, 2).flatten(2)
        x = x + self.drop(self.out(mixed))
        return x + self.drop(self.down(torch.nn.functional.gelu(self.up(self.norm_2(x)))))
