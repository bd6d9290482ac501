# SPDX-License-Identifier: Apache-2.0
"""Losses of the value model. Labels and values are in units of the label's standard deviation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LEAST = 1e-6


def crps(samples: Tensor, observed: Tensor) -> Tensor:
    """CRPS of each observation [n] against samples [n, m] of its forecast: [n].

    The energy form E|X - x| - E|X - X'| / 2 of appendix A's integral; X, X' are distinct samples,
    so the estimate is unbiased.
    """
    m = samples.shape[1]
    ordered = samples.sort(1).values
    rank = torch.arange(m, dtype=samples.dtype) * 2 - (m - 1)
    between = (ordered * rank).sum(1) / (m * (m - 1))  # E|X - X'| / 2
    return (samples - observed[:, None]).abs().mean(1) - between


def draw(curve: Tensor, k: Tensor, noise: Tensor) -> Tensor:
    """Samples [n, m] of what the first k tokens turn out to be worth.

    Log-normal with mean V(k) and standard deviation `spread` sqrt(V(k) / v_max): clicks arrive one
    by one, so the variance grows with the value delivered, up to that of v_max itself.

    Args:
        curve: [n, 4]; k: [n].
        noise: standard normal [n, m].
    """
    share = torch.sigmoid(curve[:, 1] * (k.to(curve.dtype) - curve[:, 2]))
    mean, sd = curve[:, 0] * share, curve[:, 3] * share.sqrt()
    variance = torch.log1p((sd / mean.clamp(min=_LEAST)) ** 2)[:, None]
    return mean[:, None] * torch.exp(variance.sqrt() * noise - variance / 2)


def l2(model: nn.Module) -> Tensor:
    """Mean square over all weight matrices (not biases, norms, embeddings or places)."""
    matrices = [m.weight for m in model.modules() if isinstance(m, nn.Linear)]
    total = torch.stack([(w * w).sum() for w in matrices]).sum()
    return total / sum(w.numel() for w in matrices)
