# SPDX-License-Identifier: Apache-2.0
"""The three events of a reply, as they come out of `token_auction`'s tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Start:
    """The reply is admitted. Row 0 is the reference, row i advertiser i."""

    conv_id: str
    rows: tuple[str, ...]
    bids: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """One auctioned token; vectors have one entry per row. `text` may be empty."""

    index: int
    token_id: int
    text: str
    winner: int
    flags: int
    margin: float
    bid: tuple[float, ...]
    charge: tuple[float, ...]
    critical_bid: tuple[float, ...]
    p_token: tuple[float, ...]
    w_minus: tuple[float, ...]
    row_status: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class End:
    """The reply is over; `text` is what was still held back. `receipt` is plain JSON."""

    text: str
    finish_reason: str
    receipt: dict[str, Any]


Event = Start | Token | End
