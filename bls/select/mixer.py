# SPDX-License-Identifier: Apache-2.0
"""score = lambda_sem sim + lambda_val val, of all candidates at once (max_reward_optimizer 2.2.4).

With lambda_sem > 0 a creative that is more similar at the same value scores strictly higher, and
with lambda_val > 0 one of more value at the same similarity, as far as f32 can tell them apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def mix(sim: F32, val: F32, lambda_sem: float) -> F32:
    """Scores f32 [n] of cosines f32 [n] in [-1, 1] and values f32 [n] in [0, 1]."""
    sem = np.float32(lambda_sem)
    score: F32 = sem * sim + (np.float32(1.0) - sem) * val
    return score


def ranked(score: F32, sim: F32, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places [n], best first: by score, then similarity, then the lower id."""
    order: NDArray[np.int64] = np.lexsort((ids, -sim, -score))
    return order
