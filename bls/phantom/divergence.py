# SPDX-License-Identifier: Apache-2.0
"""How far a session's kernel is from those of people and of agents, and what that says.

Source: PHANTOM's model, "Kernels": `Delta_H`, `Delta_A` are mean row KL to the class's centroid,
rows smoothed on both sides; `g = Delta_H - Delta_A`; `f = sigmoid(g / T)`. A class may have several
kinds: its divergence is that to the nearest of its sub-kernels. `agent_score`'s graph computes the
same in float32; this is its oracle.
"""

from __future__ import annotations

import numpy as np

from bls.phantom.kernels import F64, SMOOTHING, STATES, Counts, kernel, visited


def divergences(counts: Counts, kernels: F64, smoothing: float = SMOOTHING) -> F64:
    """Mean row KL [n, k], nats, of sessions [n, 15, 14] to kernels [k, 14, 14] without zeros.

    Over the rows that the session left; 0 for a session that left none.
    """
    own = kernel(counts, smoothing)
    seen = visited(counts)
    logs = np.log(own, out=np.zeros_like(own), where=own > 0)
    share = own * seen[..., None]
    flat = share.reshape(len(share), STATES * STATES)
    cross = flat @ np.log(kernels).reshape(len(kernels), -1).T
    rows = np.maximum(seen.sum(axis=1), 1)
    found: F64 = ((share * logs).sum(axis=(1, 2))[:, None] - cross) / rows[:, None]
    return found


def nearest(counts: Counts, sub_kernels: F64, smoothing: float = SMOOTHING) -> F64:
    """Divergence [n] of sessions to a class: to the nearest of its sub-kernels [k, 14, 14]."""
    least: F64 = divergences(counts, sub_kernels, smoothing).min(axis=1)
    return least


def gap(delta_human: F64, delta_agent: F64) -> F64:
    """`g = Delta_H - Delta_A`: above 0 the session is nearer to the agents."""
    return delta_human - delta_agent


def probability(gaps: F64, temperature: float = 1.0) -> F64:
    """`f = sigmoid(g / T)`, without overflow."""
    half: F64 = 0.5 * (1.0 + np.tanh(np.asarray(gaps) / (2.0 * temperature)))
    return half
