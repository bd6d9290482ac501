# SPDX-License-Identifier: Apache-2.0
"""The value curve of an ad trajectory: what each further token is worth, and what leaving loses.

    V(k) = v_max / (1 + exp(-a (k - k_0))),  k = 1 .. T
    dV_1 = V(1), dV_k = V(k) - V(k-1),  so that the dV sum to V
    L_k = v_max - V(k)

Everything is f32 (f16 has no room for L + V = v_max to 1e-4). Values are per unit of rate: the
caller multiplies by the campaign's a CPM + b CPC. Source: trajectory_value 2.2.1, corrections
(trajectory value).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bls.contracts import AD_TOKENS
from bls.errors import SkynetError, invalid

F32 = NDArray[np.float32]

A_MAX = 10.0
"""Steepest curve that is served."""

K_0_MIN = 1.0
"""Earliest midpoint that is served."""

_EXP_MAX = np.float32(80.0)  # exp of it is finite in f32, and 1 / (1 + exp) is already 0 or 1
_K = np.arange(1, AD_TOKENS + 1, dtype=np.float32)


def check_curve(v_max: ArrayLike, a: ArrayLike, k_0: ArrayLike, spread: ArrayLike = 0.0) -> None:
    """Raises `bad_curve` (400) unless every curve is finite with v_max >= 0, 0 < a <= 10, k_0 >= 1.

    Args:
        spread: of v_max; finite and >= 0.
    """
    for values, low, high in (
        (v_max, 0.0, np.inf),
        (a, np.nextafter(0.0, 1.0), A_MAX),
        (k_0, K_0_MIN, np.inf),
        (spread, 0.0, np.inf),
    ):
        array = np.asarray(values, np.float64)
        if not (np.isfinite(array) & (array >= low) & (array <= high)).all():
            raise bad_curve()


def bad_curve() -> SkynetError:
    """The refusal of curve parameters outside their range."""
    return invalid(
        "bad_curve", "Curve parameters must be finite, v_max >= 0, 0 < a <= 10 and k_0 >= 1."
    )


def value(v_max: ArrayLike, a: ArrayLike, k_0: ArrayLike) -> F32:
    """V(1) .. V(48), f32 [48], or [n, 48] of parameters [n]."""
    top, slope, middle = (np.asarray(p, np.float32)[..., None] for p in (v_max, a, k_0))
    power = np.clip(slope * (middle - _K), -_EXP_MAX, _EXP_MAX)
    curve: F32 = top / (np.float32(1.0) + np.exp(power))
    return curve


def value_curve(
    v_max: ArrayLike, a: ArrayLike, k_0: ArrayLike, count: ArrayLike
) -> tuple[F32, F32]:
    """(dV, L) of a trajectory of `count` tokens, zero past it.

    Args:
        v_max, a, k_0: scalars, or [n] for n curves at once.
        count: T, 1 to 48; a scalar or [n].

    Returns:
        Two f32 arrays [48] or [n, 48].

    Raises:
        SkynetError: `bad_curve` as in `check_curve`, `bad_count` when a count is not 1 to 48.
    """
    check_curve(v_max, a, k_0)
    tokens: NDArray[Any] = np.asarray(count)
    if ((tokens < 1) | (tokens > AD_TOKENS)).any():
        raise invalid("bad_count", f"A trajectory has 1 to {AD_TOKENS} tokens.")
    total = value(v_max, a, k_0)
    loss = np.asarray(v_max, np.float32)[..., None] - total
    gain = np.diff(total, axis=-1, prepend=np.float32(0.0))
    inside = tokens[..., None] >= _K
    zero = np.float32(0.0)
    return np.where(inside, gain, zero), np.where(inside, loss, zero)
