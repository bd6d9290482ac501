# SPDX-License-Identifier: Apache-2.0
"""The auction's random numbers again, apart from the kernel: Philox4x32-10 (Salmon et al. 2011).

Key, counter and the two uniforms are those of `kernels_cuda/include/auction_contract.h`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_ROUNDS = 10


def philox(key: tuple[U64, U64], counter: tuple[U64, U64, U64, U64]) -> tuple[U64, U64, U64, U64]:
    """Four 32-bit words per element; every array holds 32-bit values in u64."""
    (k0, k1), (c0, c1, c2, c3) = key, counter
    for _ in range(_ROUNDS):
        first, second = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (second >> _SHIFT) ^ c1 ^ k0,
            second & _LOW,
            (first >> _SHIFT) ^ c3 ^ k1,
            first & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return c0, c1, c2, c3


def uniforms(draw: U64) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """u_row and u_token in [0, 1) of draws [n, 3]: seed, conv, index."""
    seed, conv, index = draw.T
    counter = (conv & _LOW, conv >> _SHIFT, index & _LOW, index >> _SHIFT)
    words = philox((seed & _LOW, seed >> _SHIFT), counter)
    return _unit(words[0], words[1]), _unit(words[2], words[3])


def _unit(low: U64, high: U64) -> NDArray[np.float64]:
    bits = (low | (high << _SHIFT)) >> np.uint64(11)
    return bits.astype(np.float64) * 2.0**-53
