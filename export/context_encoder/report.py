# SPDX-License-Identifier: Apache-2.0
"""What a projection loses, on texts it was not fitted on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bls.brain.context.axes import project

F32 = NDArray[np.float32]

_PAIRS = 20_000


def report(p_k: F32, held_out: F32, seed: int) -> dict[str, float]:
    """Figures of P_K [k, 384] on unit embeddings [n, 384].

    - `cosine_drop`: 1 - cos between an embedding and what P_K keeps of it (corrections, max-reward
      optimiser 2); `cosine_drop_layernorm` with LayerNorm's mean removed as well.
    - `pair_correlation`, `pair_error`: of the cosines of random pairs before and after.
    - `nearest_kept`: share of texts whose nearest neighbour stays the same.
    """
    wide = held_out.astype(np.float64)
    kept = wide @ p_k.T.astype(np.float64)
    centred = kept - kept.mean(axis=1, keepdims=True)
    z = project(p_k, held_out).astype(np.float64)
    before, after = wide @ wide.T, z @ z.T
    generator = np.random.default_rng(seed)
    left, right = generator.integers(0, len(wide), (2, _PAIRS))
    apart = left != right
    was, now = (table[left[apart], right[apart]] for table in (before, after))
    for table in (before, after):
        np.fill_diagonal(table, -2.0)
    return {
        "cosine_drop": float(1 - np.linalg.norm(kept, axis=1).mean()),
        "cosine_drop_layernorm": float(1 - np.linalg.norm(centred, axis=1).mean()),
        "pair_correlation": float(np.corrcoef(was, now)[0, 1]),
        "pair_error": float(np.abs(was - now).mean()),
        "nearest_kept": float((before.argmax(1) == after.argmax(1)).mean()),
    }
