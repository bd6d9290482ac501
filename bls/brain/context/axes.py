# SPDX-License-Identifier: Apache-2.0
"""From MiniLM's 384 numbers to the 128 axes: P_K, LayerNorm without affine part, unit norm.

    z = LayerNorm(P_K e),  ctx_vec = z / |z|            (max_reward_optimizer 2.2 C)

The rows of P_K are orthonormal. LayerNorm takes the mean over the axes away, so P_K is turned such
that this mean is its least important direction (`export/context_encoder/fit.py`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bls.brain.context.minilm import WIDTH
from bls.contracts import CTX
from bls.errors import SkynetError

F32 = NDArray[np.float32]

P_K = "p_k"
"""Name of the tensor in `p_k.safetensors`."""

_ORTHONORMAL = 1e-4


def check(p_k: F32) -> F32:
    """P_K as it was given. Raises `model_invalid` unless it is [128, 384], rows orthonormal."""
    if p_k.shape != (CTX, WIDTH):
        raise _bad(f"expected [{CTX}, {WIDTH}], got {list(p_k.shape)}")
    if not np.allclose(p_k @ p_k.T, np.eye(CTX), atol=_ORTHONORMAL):
        raise _bad("its rows are not orthonormal")
    return p_k


def project(p_k: F32, embedded: F32) -> F32:
    """Axis vectors f32 [..., 128] of unit norm from embeddings f32 [..., 384]."""
    z = embedded.astype(np.float64) @ p_k.T.astype(np.float64)
    z -= z.mean(axis=-1, keepdims=True)  # LayerNorm; its division falls out of the unit norm
    z /= np.linalg.norm(z, axis=-1, keepdims=True)
    return z.astype(np.float32)


def _bad(why: str) -> SkynetError:
    return SkynetError("model_invalid", f"The projection P_K: {why}.", 500)
