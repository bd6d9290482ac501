# SPDX-License-Identifier: Apache-2.0
"""What the controller's maximum is, in float64 scipy, sharing no code and no idea with the kernel.

A dense grid over the whole of [0, w_max], with extra points around every component, then zooms into
each of its local maxima. Slow and obvious; `zoom` is checked against `scipy.optimize` in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bls.contracts import Control
from kernels_cuda.mpc_control import LOSSES, VALUES

F64 = NDArray[np.float64]
SIGMA_MIN = 1e-6

PEAKS = 3
"""Local maxima that are zoomed into; a mixture of two has at most two inside (0, w_max)."""


@dataclass(frozen=True)
class Problems:
    """n problems: arrays [n, 1], ready to be broadcast against weights [n, m]."""

    mu: tuple[F64, F64]
    sigma: tuple[F64, F64]
    share: tuple[F64, F64]
    worth: F64  # S = sum of dV + L over H' tokens
    loss: F64  # sum of L over H' tokens
    tokens: F64  # H'
    reserve: F64
    w_max: F64
    vcg: NDArray[np.bool_]

    @property
    def scale(self) -> F64:
        """[n]: what errors of U are relative to, besides U itself."""
        return self.worth[:, 0]


def problems(mixture: NDArray[np.float32], control: F64) -> Problems:
    """From the kernel's own inputs."""
    m = np.asarray(mixture, np.float64)[..., None]
    sigma = np.maximum(m[:, [1, 3]], SIGMA_MIN)
    tokens = np.minimum(control[:, Control.HORIZON], control[:, Control.LEFT])[:, None]
    seen = np.arange(VALUES.stop - VALUES.start) < tokens
    dv, loss = (np.where(seen, control[:, part], 0).sum(1)[:, None] for part in (VALUES, LOSSES))
    return Problems(
        mu=(m[:, 0], m[:, 2]),
        sigma=(sigma[:, 0], sigma[:, 1]),
        share=(m[:, 4], 1 - m[:, 4]),
        worth=dv + loss,
        loss=loss,
        tokens=tokens,
        reserve=control[:, Control.RESERVE, None],
        w_max=control[:, Control.W_MAX, None],
        vcg=control[:, Control.COST_MODEL, None] == 1,
    )


def win(p: Problems, w: F64) -> F64:
    """F(w)."""
    return _sum(p, w, lambda x, mu, sigma: ndtr((x - mu) / sigma))


def charge(p: Problems, w: F64) -> F64:
    """E[(W_-i + r) 1{W_-i + r <= w}]: the mean of a truncated log-normal."""
    below = _sum(
        p,
        w,
        lambda x, mu, sigma: np.exp(mu + sigma**2 / 2) * ndtr((x - mu) / sigma - sigma),
    )
    return p.reserve * win(p, w) + below


def utility(p: Problems, w: F64) -> F64:
    """U(w), [n, m]."""
    cost = np.where(p.vcg, charge(p, w), w)
    return p.worth * win(p, w) - p.loss - p.tokens * cost


def solve(p: Problems, points: int = 400) -> tuple[F64, F64]:
    """(w_star, U) [n] each; w_star is 0 where nothing beats U(0)."""
    w = _grid(p, points)
    u = utility(p, w)
    best_w, best_u = np.zeros(len(w)), u[:, 0].copy()
    peak = np.pad(u, ((0, 0), (1, 1)), constant_values=-np.inf)
    is_peak = (u >= peak[:, :-2]) & (u >= peak[:, 2:])
    order = np.argsort(np.where(is_peak, -u, np.inf), axis=1, kind="stable")[:, :PEAKS]
    rows = np.arange(len(w))
    for place in order.T:
        low = w[rows, np.maximum(place - 1, 0)]
        high = w[rows, np.minimum(place + 1, w.shape[1] - 1)]
        found_w, found_u = zoom(p, low, high)
        better = found_u > best_u
        best_w, best_u = np.where(better, found_w, best_w), np.where(better, found_u, best_u)
    return best_w, best_u


def zoom(p: Problems, low: F64, high: F64, rounds: int = 6) -> tuple[F64, F64]:
    """The largest of U between low and high [n], where it has one peak."""
    rows = np.arange(len(low))
    for _ in range(rounds):
        w = np.linspace(low, high, 33, axis=1)
        u = utility(p, w)
        at = u.argmax(1)
        low, high = w[rows, np.maximum(at - 1, 0)], w[rows, np.minimum(at + 1, 32)]
    return w[rows, at], u[rows, at]


def _sum(p: Problems, w: F64, of: object) -> F64:
    over = w - p.reserve
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = np.log(np.maximum(over, 0.0))
        parts = [
            share * of(x, mu, sigma)  # type: ignore[operator]
            for share, mu, sigma in zip(p.share, p.mu, p.sigma, strict=True)
        ]
    total: F64 = np.where(over > 0, parts[0] + parts[1], 0.0)
    return total


def _grid(p: Problems, points: int) -> F64:
    """[n, m] ascending weights from 0 to w_max."""
    n = len(p.worth)
    z = np.linspace(-10.0, 10.0, points)
    unit = np.linspace(0.0, 1.0, points)
    with np.errstate(over="ignore"):
        around = [
            np.exp(mu + sigma * z) + p.reserve for mu, sigma in zip(p.mu, p.sigma, strict=True)
        ]
        log_spaced = p.w_max * np.exp(-20.0 * unit)
    parts = [*around, log_spaced, p.w_max * unit, np.zeros((n, 1)), p.reserve, p.w_max]
    return np.sort(np.clip(np.hstack(parts), 0.0, p.w_max), axis=1)
