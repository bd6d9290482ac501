# SPDX-License-Identifier: Apache-2.0
"""The dual-tower value model: (context, ad) to a value curve's parameters and their spread."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from bls.brain.curve import A_MAX, K_0_MIN
from bls.contracts import AD_TOKENS
from export.tve.config import Dims
from export.tve.layers import attend, split_heads
from export.tve.towers import AdTower, ContextTower

_SMALL = 1e-3  # least v_max, a and spread, in units of the label's scale


class Fuse(nn.Module):  # type: ignore[misc]
    """Cross-attention (query the context, keys and values the ad's tokens) plus an interaction.

    fused = attention + ctx W_c + (ctx U) * (ad W_a). The last term's sum is the similarity that
    stage 1 is trained on, so supervised training starts from towers that can be compared.
    """

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.heads = dims.heads
        self.query = nn.Linear(dims.ctx, dims.fused)
        self.key, self.value = nn.Linear(dims.ad, dims.fused), nn.Linear(dims.ad, dims.fused)
        self.out = nn.Linear(dims.fused, dims.fused)
        self.ctx_side = nn.Linear(dims.ctx, dims.fused)
        self.ad_side = nn.Linear(dims.ad, dims.fused)
        self.through = nn.Linear(dims.ctx, dims.fused)

    def ad(self, states: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """An ad's part, [n, L, ad] and [n, ad]: key and value [n, heads, L, d], side [n, fused]."""
        key, value = (split_heads(side(states), self.heads) for side in (self.key, self.value))
        return key, value, self.ad_side(pooled)

    def forward(
        self, ctx: Tensor, key: Tensor, value: Tensor, side: Tensor, mask: Tensor
    ) -> Tensor:
        """[n, ctx], what `ad` gave of n ads, f32 [n, L] -> [n, fused]."""
        query = split_heads(self.query(ctx).unsqueeze(1), self.heads)
        mixed = attend(query, key, value, mask).transpose(1, 2).flatten(1)
        return self.out(mixed) + self.through(ctx) + self.ctx_side(ctx) * side


class DualTower(nn.Module):  # type: ignore[misc]
    """Parameters are within what `bls.brain.curve.check_curve` serves, whatever the input.

    Args:
        scale: what one unit of v_max and of spread is worth: the label's standard deviation.
    """

    def __init__(self, dims: Dims, vocabulary: int, scale: float = 1.0) -> None:
        super().__init__()
        self.dims = dims
        self.ctx_tower = ContextTower(dims)
        self.ad_tower = AdTower(dims, vocabulary)
        self.fuse = Fuse(dims)
        self.head = nn.Sequential(
            nn.LayerNorm(dims.fused),
            nn.Linear(dims.fused, dims.fused),
            nn.GELU(),
            nn.Linear(dims.fused, 4),
        )
        self.scale = scale
        with torch.no_grad():  # near the middle of what curves look like: a = .3, k_0 = 8
            self.head[-1].weight.mul_(0.1)
            self.head[-1].bias.copy_(torch.tensor([0.5, -3.5, 1.4, 0.0]))

    def forward(self, ctx: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """CTX f32 [n, 128], IDS i64 [n, L], MASK i64 [n, L] -> CURVE f32 [n, 4]."""
        counted = mask.to(ctx.dtype)
        ad = self.fuse.ad(*self.ad_tower(ids, counted))
        return self.curve(self.fuse(self.ctx_tower(ctx), *ad, counted))

    def of_pairs(self, ctx: Tensor, ids: Tensor, mask: Tensor, which: Tensor) -> Tensor:
        """As `forward` for samples [n] of fewer ads [u]: `which` i64 [n] is each sample's ad."""
        counted = mask.to(ctx.dtype)
        ad = (part[which] for part in self.fuse.ad(*self.ad_tower(ids, counted)))
        return self.curve(self.fuse(self.ctx_tower(ctx), *ad, counted[which]))

    def similarity(self, ctx: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Predicted cosine [n, u] of every context with every ad."""
        _, pooled = self.ad_tower(ids, mask.to(ctx.dtype))
        width = self.dims.fused
        return self.fuse.ctx_side(self.ctx_tower(ctx)) @ self.fuse.ad_side(pooled).T / width

    def curve(self, fused: Tensor) -> Tensor:
        """[n, fused] -> v_max > 0, 0 < a <= 10, k_0 >= 1, spread > 0."""
        raw = self.head(fused)
        v_max = self.scale * (softplus(raw[:, 0]) + _SMALL)
        slope = (A_MAX - _SMALL) * torch.sigmoid(raw[:, 1]) + _SMALL * 0.5
        middle = K_0_MIN + 5.0 * softplus(raw[:, 2])
        spread = self.scale * (softplus(raw[:, 3]) + _SMALL)
        return torch.stack([v_max, slope, middle, spread], 1)


def value_at(curve: Tensor, k: Tensor) -> Tensor:
    """V(k) of curves [n, 4] at k [n]."""
    return curve[:, 0] * torch.sigmoid(curve[:, 1] * (k.to(curve.dtype) - curve[:, 2]))


def values(curve: Tensor) -> Tensor:
    """V(1) .. V(48) of curves [n, 4]: [n, 48]."""
    k = torch.arange(1, AD_TOKENS + 1, dtype=curve.dtype)
    return curve[:, :1] * torch.sigmoid(curve[:, 1:2] * (k - curve[:, 2:3]))
