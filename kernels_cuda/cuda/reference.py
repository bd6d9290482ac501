# SPDX-License-Identifier: Apache-2.0
"""How far a device's answer is from the oracle's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels_cuda import oracle
from kernels_cuda.cuda.device import Answer, Reply

# Charges and critical bids under this share of the largest weight are compared to it.
FLOOR = 1e-6
# Largest differences allowed, relative but for log_z.
LIMITS = {
    "exact": 0.0,
    "margin": 1e-7,
    "p_token": 1e-7,
    "pay": 1e-6,
    "critical_bid": 1e-6,
    "log_z": 1e-6,
    "w_minus": 1e-6,
}


def widened(logits: NDArray[Any]) -> NDArray[Any]:
    """Logits as numbers: uint16 is bfloat16."""
    return oracle.from_bf16(logits) if logits.dtype == np.uint16 else logits


def expect(reply: Reply) -> oracle.Outcome:
    """The oracle's answer; oracle.OracleError where the reply must be refused."""
    assert not isinstance(reply.logits, int)
    z = widened(reply.logits)
    return oracle.auction(z, reply.weights, reply.temperature, reply.draw)


def relative(got: NDArray[Any], want: NDArray[Any], floor: float) -> float:
    """Largest relative difference; values under `floor` count as if they were `floor`."""
    return float((np.abs(got - want) / np.maximum(np.abs(want), floor)).max(initial=0.0))


def differences(got: Answer, want: oracle.Outcome, weights: NDArray[Any]) -> dict[str, float]:
    """Relative differences by field; exact is inf where something that must be equal is not."""
    exact = all(
        getattr(got, name) == getattr(want, name)
        for name in ("token", "ref_token", "drawn_row", "near_tie")
    ) and bool((got.row_status == want.row_status).all())
    floor = FLOOR * float(np.where(np.isfinite(weights), weights, 0.0).max())
    blend = max(got.blend_token, abs(want.margin), 1e-300)
    return {
        "exact": 0.0 if exact else float("inf"),
        "margin": abs(got.margin - want.margin) / blend,
        "p_token": relative(got.p_token, want.p_token, 1e-12),
        "pay": relative(got.pay, want.pay, floor),
        "critical_bid": relative(got.critical_bid, want.critical_bid, floor),
        "log_z": float(np.abs(got.log_z - want.log_z).max()),
        "w_minus": relative(got.w_minus, want.w_minus, 1e-30),
    }


def faults(got: Answer, want: oracle.Outcome, weights: NDArray[Any]) -> list[str]:
    """Which fields are further off than LIMITS allow."""
    return [
        f"{name} {value:.3g}"
        for name, value in differences(got, want, weights).items()
        if not value <= LIMITS[name]
    ]


def top_is_right(got: Answer, reply: Reply) -> bool:
    """Whether the audit outputs are the oracle's, exactly; true where they were not wanted."""
    if got.top_id is None or got.top_logit is None:
        return True
    assert not isinstance(reply.logits, int)
    ids, logits = oracle.top_tokens(widened(reply.logits), got.row_status)
    return bool((got.top_id == ids).all() and (got.top_logit == logits).all())
