# SPDX-License-Identifier: Apache-2.0
"""The events of `token_auction`, as they come out of its tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bls.errors import internal


@dataclass(frozen=True, slots=True)
class Start:
    """The reply is admitted. Row 0 is the reference, row i advertiser i."""

    conv_id: str
    rows: tuple[str, ...]
    bids: tuple[float, ...]
    truncated: bool = False  # the head of the chat was left out to fit the prefix
    mode: str = "argmax"
    seed: int | None = None  # of the draws, in mode sample
    prelude: dict[str, Any] = field(default_factory=dict)  # what was done before the first token
    invalid_at: float | None = None  # f from which its traffic is invalid; None without a session


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


@dataclass(frozen=True, slots=True)
class Updated:
    """New bids were taken, for all tokens from index `applied_from` on."""

    conv_id: str
    applied_from: int


Event = Start | Token | End
"""What a reply is made of."""


class Order:
    """Checks that a reply is START, TOKEN*, END, and that every vector has one entry per row."""

    def __init__(self) -> None:
        self._rows = 0
        self._end: End | None = None

    def check(self, event: Event) -> None:
        """Raise `SkynetError` (`internal`) when `event` may not come now."""
        if self._end is not None or isinstance(event, Start) == bool(self._rows):
            raise internal()
        if isinstance(event, Start):
            self._rows = len(event.rows)
        elif isinstance(event, End):
            self._end = event
        elif any(len(vector) != self._rows for vector in _vectors(event)):
            raise internal()

    def end(self) -> End:
        """The END that came; raises when none did."""
        if self._end is None:
            raise internal()
        return self._end


def _vectors(token: Token) -> tuple[tuple[float, ...], ...]:
    return (
        token.bid,
        token.charge,
        token.critical_bid,
        token.p_token,
        token.w_minus,
        token.row_status,
    )
