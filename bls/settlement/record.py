# SPDX-License-Identifier: Apache-2.0
"""The records of a token, defined once: `auction.bids` is what went in, `auction.vcg` the result.

Both are JSON lines with the key (conv_id, request_id, token_idx), which makes them idempotent: a
conversation has many replies, so `conv_id` and the index alone name no token. No number is in both.
Fields are only ever added; a reader refuses a `v` it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import orjson
from numpy.typing import NDArray

from bls.reply.outcome import Outcome
from bls.settlement.evidence import Packed, pack

VERSION = 1
BIDS = "auction.bids"
VCG = "auction.vcg"
RECEIPTS = "e2e.trace"
STREAMS = (BIDS, VCG, RECEIPTS)


@dataclass(frozen=True)
class Head:
    """What is the same for every token of a reply.

    Attributes:
        advertisers: of rows 1, 2, ...; row 0 is the reference.
        seed, conv: with the token's index, what a draw depends on.
        temperature: as the auction gets it, a float32.
        micros_per_weight: price of weight 1.0, in micro-dollars per token.
    """

    conv_id: str
    request_id: str
    advertisers: tuple[str, ...]
    mode: str
    seed: int
    conv: int
    temperature: float
    charge_rule: str
    micros_per_weight: int

    @cached_property
    def key(self) -> dict[str, object]:
        return {"v": VERSION, "conv_id": self.conv_id, "request_id": self.request_id}

    @cached_property
    def bids(self) -> bytes:
        """The open beginning of an `auction.bids` line."""
        constant = {
            "mode": self.mode,
            "seed": self.seed,
            "conv": self.conv,
            "temperature": float(np.float32(self.temperature)),
            "charge_rule": self.charge_rule,
            "micros_per_weight": self.micros_per_weight,
            "advertisers": self.advertisers,
        }
        return orjson.dumps(self.key | constant)[:-1]

    @cached_property
    def vcg(self) -> bytes:
        """The open beginning of an `auction.vcg` line."""
        return orjson.dumps(self.key)[:-1]


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """One delivered token; arrays are shared with the reply, nothing is copied.

    Attributes:
        ts: Unix seconds.
    """

    head: Head
    ts: float
    index: int
    weights: NDArray[np.float32]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class ReceiptRecord:
    """One ended reply, however it ended: what is billed."""

    ts: float
    receipt: dict[str, object]


Record = TokenRecord | ReceiptRecord


def encode(records: Iterable[Record]) -> dict[str, list[bytes]]:
    """Lines per stream, in order, each one JSON object without its newline."""
    tokens: list[TokenRecord] = []
    receipts = []
    for record in records:
        if isinstance(record, TokenRecord):
            tokens.append(record)
        else:
            line = {"v": VERSION, "ts": round(record.ts, 6), **record.receipt}
            receipts.append(orjson.dumps(line))
    return {
        BIDS: [_bids(token) for token in tokens],
        VCG: [_vcg(token, proof) for token, proof in zip(tokens, _evidence(tokens), strict=True)],
        RECEIPTS: receipts,
    }


def _bids(record: TokenRecord) -> bytes:
    fields = {
        "ts": round(record.ts, 6),
        "token_idx": record.index,
        "weights": record.weights.tolist(),
        "w_minus": record.outcome.w_minus.tolist(),
    }
    return record.head.bids + b"," + orjson.dumps(fields)[1:]


def _vcg(record: TokenRecord, evidence: Packed) -> bytes:
    outcome = record.outcome
    fields = {
        "ts": round(record.ts, 6),
        "token_idx": record.index,
        "token": outcome.token,
        "ref_token": outcome.ref_token,
        "margin": outcome.margin,
        "near_tie": outcome.near_tie,
        "policy": outcome.policy,
        "pay": outcome.pay.tolist(),
        "critical_bid": outcome.critical_bid.tolist(),
        "p_token": outcome.p_token.tolist(),
        "row_status": outcome.row_status.tolist(),
        "log_z": outcome.log_z.tolist(),
        "top": outcome.top_id.shape[1],
        "top_id": evidence[0],
        "top_logit": evidence[1],
    }
    return record.head.vcg + b"," + orjson.dumps(fields)[1:]


def _evidence(tokens: Sequence[TokenRecord]) -> list[Packed]:
    """Packed evidence of each token; tokens with as many rows are packed together."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for position, token in enumerate(tokens):
        groups.setdefault(token.outcome.top_id.shape, []).append(position)
    packed: list[Packed] = [("", "")] * len(tokens)
    for positions in groups.values():
        outcomes = [tokens[position].outcome for position in positions]
        proofs = pack([o.top_id for o in outcomes], [o.top_logit for o in outcomes])
        for position, proof in zip(positions, proofs, strict=True):
            packed[position] = proof
    return packed
