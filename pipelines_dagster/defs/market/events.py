# SPDX-License-Identifier: Apache-2.0
"""Conversations as the live system records them: bids, outcomes and receipts, through its ledger.

The threshold auction is a real auction of two words. The highest bidder's row wants word 1; the
reference (weight `RESERVE`) and everybody else want word 0, so N(1) = w_i, N(0) = RESERVE + W_-i:
the advertiser wins iff it outbids the sum of the others and the reserve, and its Clarke charge is
that sum. As live, a loser without whom word 1 would have won pays for that. `skynet settle` and
`skynet audit replay` accept the folder.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bls.bidding import Seat
from bls.contracts import TOP
from bls.errors import internal
from bls.reply.outcome import Outcome
from bls.reply.receipt import CURRENCY, Account
from bls.settlement.ledger import Ledger
from bls.settlement.record import Head, ReceiptRecord, TokenRecord
from kernels_cuda.oracle import auction
from pipelines_dagster.defs.market.auctions import TOKEN_S, Auctions, draw_auctions, starts
from pipelines_dagster.defs.market.params import mix_of
from pipelines_dagster.defs.market.traits import F64
from pipelines_dagster.defs.market.world import World, draw_world

RESERVE = 0.5
"""The reference's weight: what must be outbid besides W_-i."""
MICROS_PER_WEIGHT = 1_000
RULE = "clarke"
_CONTEXTS, _ADS = 256, 320
_SURE = 40.0
"""Logit of a row's word: its probability is 1 in float64."""


def record(folder: Path, seed: int, count: int, scenario: str) -> int:
    """Records of `count` conversations of the topic model's world; how many tokens they have.

    Raises:
        SkynetError: `unknown_scenario`, or as `write_events`.
    """
    mix = mix_of(scenario)
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence([seed, 1]).spawn(3)]
    world = draw_world(_CONTEXTS, _ADS, streams[0])
    auctions = draw_auctions(world, mix, count, streams[1], truth=False)
    return write_events(folder, auctions, world, seed, starts(count, streams[2]))


def write_events(folder: Path, auctions: Auctions, world: World, seed: int, start: F64) -> int:
    """Append the records of every conversation to `folder`; how many tokens they have.

    Args:
        start: [n] Unix seconds of each opening.

    Raises:
        SkynetError: `internal` when a record cannot be written, `ledger_locked`.
    """
    faults: list[Exception] = []
    ledger = Ledger(folder, faults.append)
    try:
        for conv in range(len(auctions)):
            reply = Reply.of(auctions, world, seed, conv)
            _write(ledger, reply, float(start[conv]))
    finally:
        ledger.close()
    if faults or ledger.lost:
        raise internal()
    return int(auctions.lengths.sum())


@dataclass(frozen=True)
class Reply:
    """One conversation: its head, and the bids [tokens + 1, R - 1], the opening ones first."""

    head: Head
    bids: NDArray[np.float32]

    @classmethod
    def of(cls, auctions: Auctions, world: World, seed: int, conv: int) -> Reply:
        taken = np.flatnonzero(auctions.seated[conv])
        names = tuple(world.advertisers[i] for i in auctions.advertiser[conv, taken])
        bids = auctions.bids[conv, : auctions.lengths[conv] + 1, taken].T.astype(np.float32)
        name = f"sim_{seed}_{conv}"
        return cls(Head(name, name, names, "argmax", 0, conv, 1.0, RULE, MICROS_PER_WEIGHT), bids)


def _write(ledger: Ledger, reply: Reply, start: float) -> None:
    head, bids = reply.head, reply.bids
    seats = [Seat(n, "", float(bid)) for n, bid in zip(head.advertisers, bids[0], strict=True)]
    account = Account(seats, RULE, MICROS_PER_WEIGHT)
    ts = start
    for index in range(len(bids) - 1):
        ts = start + (index + 1) * TOKEN_S
        weights = np.concatenate([[RESERVE], bids[index + 1]]).astype(np.float32)
        outcome = clear(weights)
        ledger.put(TokenRecord(head, ts, index, weights, outcome))
        account.add(outcome)
    receipt = {
        "request_id": head.request_id,
        "conv_id": head.conv_id,
        "finish_reason": "length",
        "completion_tokens": account.tokens,
        "sponsored_tokens": account.sponsored,
        "charge_rule": RULE,
        "currency": CURRENCY,
        "micros_per_weight": MICROS_PER_WEIGHT,
        "total_micros": account.total_micros,
        "lines": account.lines(),
    }
    ledger.put(ReceiptRecord(ts, receipt))


def clear(weights: NDArray[np.float32]) -> Outcome:
    """The outcome of one token; `weights` [R], row 0 the reserve."""
    rows = len(weights)
    wants = np.zeros(rows, np.int64)
    wants[1 + int(np.argmax(weights[1:]))] = 1
    logits = np.where(wants[:, None] == np.arange(2), _SURE, -_SURE).astype(np.float32)
    cleared = auction(logits, weights, 1.0)
    best = np.full((rows, TOP), -1, np.int32)
    best[:, 0], best[:, 1] = wants, 1 - wants
    known = (best.ravel() >= 0) & np.ones((rows, 1), bool)
    top_logit = np.where(known, logits[:, best.ravel()], np.float32(-np.inf))
    shared = {f.name for f in fields(Outcome)} & {f.name for f in fields(cleared)}
    values = {name: getattr(cleared, name) for name in shared}
    values |= {
        "margin": float(cleared.margin),
        "near_tie": bool(cleared.near_tie),
        "w_minus": cleared.w_minus.astype(np.float32),
    }
    return Outcome(**values, top_id=best, top_logit=top_logit, weights=weights)
