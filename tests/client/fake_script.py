# SPDX-License-Identifier: Apache-2.0
"""What a played `token_auction` does: steps, the usual responses, and whole replies of them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from bls.contracts import Flag, Kind
from bls.errors import SkynetError
from bls.request import BidUpdate, ReplyRequest, ScoreUpdate

PRELUDE = {"windows": 0, "summaries": 0, "ms": {"total": 40.0}}
ROWS = ("reference", "nimbus_air", "casa_verde")
BIDS = (1.0, 0.8, 0.3)
INVALID_AT = 0.9
DISCLOSURE = "Parts of this reply were sponsored by nimbus_air."
WORDS = ("Try", " the", " morning", " flight", " to", " Lis", "b", "oa", " \u2708", ".")


@dataclass
class Sleep:
    """Wait; ends early when the client cancels."""

    seconds: float


@dataclass
class Fail:
    """Answer with an error message, as Triton does for a model that raised."""

    error: SkynetError | str


@dataclass
class Abort:
    """End the RPC with a gRPC status."""

    code: grpc.StatusCode


@dataclass
class Send:
    """Answer with these tensors."""

    values: dict[str, Any]


Step = Sleep | Fail | Abort | Send
Script = Callable[[ReplyRequest], Iterable[Step]]
Updates = Callable[[BidUpdate], Iterable[Step]]


def start(request: ReplyRequest, rows: tuple[str, ...] = ROWS) -> Send:
    """The START response."""
    header = {
        "conv_id": request.conv_id,
        "request_id": request.request_id,
        "model": "fake",
        "rows": rows,
        "bids": BIDS[: len(rows)],
        "prompt_tokens": 21,
        "truncated": False,
        "mode": "argmax",
        "prelude": PRELUDE,
        **({} if request.session_id is None else {"traffic": {"invalid_at": INVALID_AT}}),
    }
    return Send({"KIND": int(Kind.START), "RECEIPT": json.dumps(header)})


def token(index: int, text: str | bytes, winner: int = 0, **changed: Any) -> Send:
    """A TOKEN response: advertiser `winner` pays a little when it is not 0."""
    charge = [0.0] * len(ROWS)
    charge[winner] = 0.125 if winner else 0.0
    values = {
        "KIND": int(Kind.TOKEN),
        "TEXT": text,
        "INDEX": index,
        "TOKEN_ID": 1_000 + index,
        "WINNER": winner,
        "FLAGS": int(Flag.SPONSORED) if winner else 0,
        "MARGIN": 0.4,
        "BID": BIDS,
        "CHARGE": charge,
        "CRITICAL_BID": (0.0, 0.25, math.inf),
        "P_TOKEN": (0.5, 0.25, 0.125),
        "W_MINUS": (1.1, 1.3, 1.8),
        "ROW_STATUS": (0, 0, 0),
    }
    return Send(values | changed)


def end(request: ReplyRequest, tokens: int, reason: str = "stop", charged: bool = True) -> Send:
    """The END response with its receipt."""
    lines = [
        {
            "advertiser": name,
            "row": row,
            "bid": BIDS[row],
            "tokens_influenced": 2 if row == 1 else 0,
            "tokens_dropped": 0,
            "pay_micros": 250 if row == 1 and charged else 0,
            "critical_bid_micros": 500 if row == 1 else 0,
            "charge_micros": 250 if row == 1 and charged else 0,
        }
        for row, name in enumerate(ROWS)
        if row
    ]
    receipt = {
        "request_id": request.request_id,
        "conv_id": request.conv_id,
        "model": "fake",
        "finish_reason": reason,
        "prompt_tokens": 21,
        "completion_tokens": tokens,
        "sponsored_tokens": 2,
        "near_tie_tokens": 0,
        "policy_tokens": 0,
        "charge_rule": "clarke",
        "currency": "USD",
        "micros_per_weight": 1_000,
        "total_micros": sum(line["charge_micros"] for line in lines),
        "lines": lines,
        "disclosure": DISCLOSURE if charged else None,
        "timings": {"ttft_ms": 12.5, "total_ms": 80.0},
    }
    values = {"KIND": int(Kind.END), "FINISH_REASON": reason, "RECEIPT": json.dumps(receipt)}
    return Send(values)


def happy(request: ReplyRequest) -> list[Step]:
    """Ten tokens, two of them sponsored."""
    words = WORDS[: request.max_tokens]
    tokens = [token(i, word, 1 if i in (2, 3) else 0) for i, word in enumerate(words)]
    return [start(request), *tokens, end(request, len(words))]


def updated(update: BidUpdate | ScoreUpdate) -> list[Step]:
    """New bids count from token 5 on."""
    receipt = {"conv_id": update.conv_id, "applied_from": 5}
    return [Send({"KIND": int(Kind.UPDATE), "RECEIPT": json.dumps(receipt)})]


def forever(request: ReplyRequest) -> Iterator[Step]:
    """Tokens until somebody ends it."""
    yield start(request)
    for index in range(20_000):
        yield token(index, " on")
        yield Sleep(0.01)
