# SPDX-License-Identifier: Apache-2.0
"""The two-component Gaussian mixture of log W (competitor_bid, appendix A), over torch tensors.

A mixture is [n, 5]: mu_1, s_1, mu_2, s_2, alpha, where alpha weighs the first component.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


def mean(mixture: Tensor) -> Tensor:
    """[n], the mean of log W."""
    mu_1, _, mu_2, _, alpha = mixture.unbind(1)
    return alpha * mu_1 + (1 - alpha) * mu_2


def spread(mixture: Tensor) -> Tensor:
    """[n], the standard deviation of log W."""
    mu_1, s_1, mu_2, s_2, alpha = mixture.unbind(1)
    between = alpha * (1 - alpha) * (mu_1 - mu_2) ** 2
    return torch.sqrt(alpha * s_1**2 + (1 - alpha) * s_2**2 + between)


def negative_log_likelihood(mixture: Tensor, label: Tensor) -> Tensor:
    """[n], -log p(label), by log-sum-exp."""
    mu_1, s_1, mu_2, s_2, alpha = mixture.unbind(1)
    tiny = torch.finfo(mixture.dtype).tiny
    first = torch.log(alpha.clamp_min(tiny)) + _log_normal(label, mu_1, s_1)
    second = torch.log((1 - alpha).clamp_min(tiny)) + _log_normal(label, mu_2, s_2)
    return -torch.logaddexp(first, second)


def cdf(mixture: Tensor, value: Tensor) -> Tensor:
    """[n], P(log W <= value); of the label itself, its probability integral transform."""
    mu_1, s_1, mu_2, s_2, alpha = mixture.unbind(1)
    below_1 = torch.special.ndtr((value - mu_1) / s_1)
    below_2 = torch.special.ndtr((value - mu_2) / s_2)
    return alpha * below_1 + (1 - alpha) * below_2


def crps(mixture: Tensor, label: Tensor) -> Tensor:
    """[n], continuous ranked probability score in closed form (Grimit et al., 2006)."""
    mu_1, s_1, mu_2, s_2, alpha = mixture.unbind(1)
    beta = 1 - alpha
    apart = alpha * _absolute(label - mu_1, s_1) + beta * _absolute(label - mu_2, s_2)
    root = math.sqrt(2)
    between = alpha**2 * _absolute(torch.zeros_like(label), root * s_1)
    between = between + beta**2 * _absolute(torch.zeros_like(label), root * s_2)
    mixed = _absolute(mu_1 - mu_2, torch.sqrt(s_1**2 + s_2**2))
    return apart - 0.5 * (between + 2 * alpha * beta * mixed)


def _absolute(mu: Tensor, s: Tensor) -> Tensor:
    """E|N(mu, s^2)|."""
    z = mu / s
    density = torch.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return 2 * s * density + mu * (2 * torch.special.ndtr(z) - 1)


def _log_normal(value: Tensor, mu: Tensor, s: Tensor) -> Tensor:
    return -0.5 * ((value - mu) / s) ** 2 - torch.log(s) - _HALF_LOG_TAU
