# SPDX-License-Identifier: Apache-2.0
"""The events of a streamed reply as a caller sees them, read from chunk JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class ReplyError(Exception):
    """The server refused or failed. `status` is None when the stream had already begun."""

    def __init__(self, error: dict[str, Any], status: int | None = None):
        super().__init__(str(error.get("message", "The request failed.")))
        self.message = str(self)
        self.code = str(error.get("code") or "unknown")
        self.param: str | None = error.get("param")
        self.request_id: str | None = error.get("request_id")
        self.status = status


@dataclass(frozen=True)
class Start:
    """The reply began. Row 0 is the reference; row i bids `bids[i]`; `prelude` is what was done
    before (`client.prelude`)."""

    conv_id: str
    rows: tuple[str, ...]
    bids: tuple[float, ...]
    prelude: dict[str, Any]


@dataclass(frozen=True)
class Bid:
    """One advertiser in one token's auction; amounts are in units of weight."""

    advertiser: str
    bid: float | None
    charge: float | None
    critical_bid: float | None
    p_token: float | None
    w_minus: float | None
    status: str


@dataclass(frozen=True)
class Token:
    """One token of the reply and how it was sold.

    `policy`: the auctioned token was refused; this is the reference's, and nobody pays for it.
    """

    text: str
    index: int
    token_id: int
    winner: str | None
    sponsored: bool
    near_tie: bool
    policy: bool
    margin: float | None
    rows: tuple[Bid, ...]


@dataclass(frozen=True)
class Text:
    """Reply text that is no token: held-back text, or the disclosure."""

    text: str
    disclosure: bool


@dataclass(frozen=True)
class Line:
    """What one advertiser owes for the reply, in millionths of the currency."""

    advertiser: str
    row: int
    bid: float
    tokens_influenced: int
    tokens_dropped: int
    pay_micros: int
    critical_bid_micros: int
    charge_micros: int
    mean_bid: float | None = None  # over the reply's tokens: what a controller bid on average


@dataclass(frozen=True)
class Receipt:
    """The end of a reply. Money is integer millionths of `currency`."""

    request_id: str
    conv_id: str
    model: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    sponsored_tokens: int
    near_tie_tokens: int
    policy_tokens: int
    charge_rule: str
    currency: str
    micros_per_weight: int
    total_micros: int
    lines: tuple[Line, ...]
    disclosure: str | None
    timings: dict[str, float]
    mode: str = "argmax"
    seed: int | None = None  # of a sampled reply: with it the reply can be drawn again
    refunds: tuple[dict[str, int], ...] = ()  # row and refund_micros: of invalid traffic
    refunded_micros: int = 0
    net_micros: int | None = None  # total less refunds; None: nothing was refunded
    traffic: dict[str, Any] | None = None  # what its shop session was taken for; None without one


Event = Start | Token | Text | Receipt


def read_chunk(chunk: dict[str, Any]) -> Event | None:
    """The event in one chunk, None for a chunk that carries none (usage)."""
    extra = chunk.get("skynet")
    if extra is None or not chunk["choices"]:
        return None
    if "receipt" in extra:
        return read_receipt(extra["receipt"])
    text = chunk["choices"][0]["delta"].get("content") or ""
    if "token_id" in extra:
        rows = tuple(Bid(**row) for row in extra["rows"])
        return Token(**{**extra, "text": text, "rows": rows})
    if "conv_id" in extra:
        return Start(extra["conv_id"], tuple(extra["rows"]), tuple(extra["bids"]), extra["prelude"])
    return Text(text, bool(extra.get("disclosure")))


def read_receipt(raw: dict[str, Any]) -> Receipt:
    """A receipt from its JSON."""
    lines, refunds = tuple(Line(**line) for line in raw["lines"]), raw.get("refunds", ())
    return Receipt(**{**raw, "lines": lines, "refunds": tuple(refunds)})
