# SPDX-License-Identifier: Apache-2.0
"""The two towers: a context vector to 64 numbers, an ad's tokens to 256 (and their states)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bls.contracts import AD_TOKENS, CTX
from export.tve.config import Dims
from export.tve.layers import Layer


class ContextTower(nn.Module):  # type: ignore[misc]
    """One vector becomes a short sequence: 8 pieces of 16 numbers, each projected to the width.

    Self-attention lets the pieces condition one another; their mean plus a direct projection of
    the whole vector is the output, so that what is linear in the vector needs no attention.
    """

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.pieces = dims.ctx_tokens
        self.piece = nn.Linear(CTX // dims.ctx_tokens, dims.ctx)
        self.place = nn.Parameter(torch.randn(dims.ctx_tokens, dims.ctx) * 0.02)
        self.layers = nn.ModuleList(
            Layer(dims.ctx, dims.heads, dims.feed, dims.dropout) for _ in range(dims.ctx_layers)
        )
        self.norm = nn.LayerNorm(dims.ctx)
        self.direct = nn.Linear(CTX, dims.ctx)

    def forward(self, ctx: Tensor) -> Tensor:
        """CTX f32 [n, 128] (unit norm) -> [n, ctx]."""
        vector = ctx * CTX**0.5  # entries near 1
        x = self.piece(vector.unflatten(-1, (self.pieces, -1))) + self.place
        for layer in self.layers:
            x = layer(x)
        return self.norm(x).mean(1) + self.direct(vector)


class AdTower(nn.Module):  # type: ignore[misc]
    """BPE tokens with learned places through self-attention."""

    def __init__(self, dims: Dims, vocabulary: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, dims.ad)
        self.place = nn.Parameter(torch.randn(AD_TOKENS, dims.ad) * 0.02)
        nn.init.normal_(self.embed.weight, std=0.1)
        self.layers = nn.ModuleList(
            Layer(dims.ad, dims.heads, dims.feed, dims.dropout) for _ in range(dims.ad_layers)
        )
        self.norm = nn.LayerNorm(dims.ad)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """IDS i64 [n, L <= 48], mask f32 [n, L] -> states [n, L, ad] and their mean [n, ad]."""
        x = self.embed(ids) + self.place[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x, mask)
        states = self.norm(x)
        counted = mask.unsqueeze(-1)
        return states, (states * counted).sum(1) / counted.sum(1).clamp(min=1.0)
