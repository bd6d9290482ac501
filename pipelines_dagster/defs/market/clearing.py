# SPDX-License-Identifier: Apache-2.0
"""The threshold auction of `events.clear`, every token of many conversations at once.

The kernel's oracle on two words has a closed form. With N(1) = max w_i, N(0) = RESERVE + the rest:
word 1 wins iff N(1) > N(0), and its bidder pays N(0); else whoever kept it out pays what was
missing without it, N(1) - (N(0) - w_i). `tests/pipelines/market` holds it to `events.clear`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bls.settlement.evidence import pack
from kernels_cuda.oracle import NEAR_TIE_REL, TIE_REL
from pipelines_dagster.defs.market.auctions import Auctions
from pipelines_dagster.defs.market.events import RESERVE, clear
from pipelines_dagster.defs.market.traits import F64, Bool
from pipelines_dagster.defs.market.world import I64


@dataclass(frozen=True)
class Cleared:
    """t tokens, conversation by conversation; S seats, of which `seated` are taken.

    Attributes:
        conv, index: [t]; start: [n] first token of each conversation.
        weight, others, pay: [t, S] f32, f64, f64.
        best: [t] place of the highest bidder among the taken seats, from 0.
        won: [t] word 1 was said; margin, near_tie: [t].
    """

    conv: I64
    index: I64
    start: I64
    seated: Bool
    weight: NDArray[np.float32]
    others: F64
    pay: F64
    best: I64
    won: Bool
    margin: F64
    near_tie: Bool


def clear_all(auctions: Auctions) -> Cleared:
    """Every token of every conversation."""
    lengths = auctions.lengths
    conv = np.repeat(np.arange(len(auctions)), lengths)
    start = np.cumsum(lengths) - lengths
    index = np.arange(len(conv)) - start[conv]
    seated = auctions.seated[conv]
    weight = np.where(seated, auctions.bids[conv, index + 1], 0.0).astype(np.float32)
    bids = weight.astype(np.float64)
    others = bids @ (1.0 - np.eye(bids.shape[1]))
    top = np.where(seated, bids, -1.0).argmax(axis=1)
    mine = np.arange(bids.shape[1]) == top[:, None]
    one = np.take_along_axis(bids, top[:, None], axis=1)[:, 0]
    zero = RESERVE + np.take_along_axis(others, top[:, None], axis=1)[:, 0]
    won = zero < np.maximum(one, zero) * (1 - TIE_REL)
    margin = np.maximum(np.where(won, one - zero, zero - one), 0.0)
    missing = one[:, None] - (zero[:, None] - bids)
    kept_out = np.where(mine | (missing <= TIE_REL * one[:, None]), 0.0, missing)
    pay = np.minimum(np.where(won[:, None], np.where(mine, zero[:, None], 0.0), kept_out), bids)
    return Cleared(
        conv=conv,
        index=index,
        start=start,
        seated=seated,
        weight=weight,
        others=others,
        pay=pay,
        best=(seated.cumsum(axis=1) - 1)[np.arange(len(top)), top],
        won=won,
        margin=margin,
        near_tie=margin <= NEAR_TIE_REL * np.maximum(one, zero),
    )


@cache
def evidence(rows: int, best: int) -> tuple[str, str]:
    """`top_id` and `top_logit` of a token of `rows` rows, base64: who wants what says it all."""
    weights = np.full(rows, 0.1, np.float32)
    weights[1 + best] = 1.0
    outcome = clear(weights)
    ((ids, logits),) = pack([outcome.top_id], [outcome.top_logit])
    return ids, logits


@cache
def unsure() -> float:
    """P of the word that a row does not want."""
    return float(clear(np.array([0.5, 0.1], np.float32)).p_token.min())


@cache
def log_z() -> float:
    return float(clear(np.array([0.5, 0.1], np.float32)).log_z[0])
