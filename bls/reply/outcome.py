# SPDX-License-Identifier: Apache-2.0
"""What one auction decided, and what it means for a reader and for each advertiser."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bls.contracts import Flag

_PER_ROW = (
    "p_token",
    "pay",
    "critical_bid",
    "w_minus",
    "row_status",
    "log_z",
    "top_id",
    "top_logit",
)


@dataclass(frozen=True)
class Outcome:
    """One token's auction. Arrays are [R], row 0 the reference; money is in weight units.

    Attributes:
        token: the winner, argmax_x N(x), or the token drawn from N.
        ref_token: what the reference row alone would have said, in a draw with the same
            random number.
        pay: Clarke externality, max_x B_-i(x) - B_-i(token); in a draw the stable-sampling payment.
        critical_bid: smallest bid that keeps the token; 0 in a draw.
        w_minus: aggregate weight of all other advertisers.
        log_z: ln sum_x exp(logit(x) / T) of each row, 0 for a dropped one.
        top_id: [R, 16] best tokens of each row, best first; -1 where there is none.
        top_logit: [R, 16 R] each row's logits at all the ids of `top_id`.
        weights: with which the rows were auctioned.
        decision: [R, 8] of the controller (`bls.contracts.Decision`); None if it was not asked.
        mixture: [R, 5] the predictor's forecast; None when it was not asked.
        predictor: [R] the version behind each forecast (`bls.models.served`); None like `mixture`.
        policy: the auctioned token was refused; `token` is the reference's in its place.
    """

    token: int
    ref_token: int
    margin: float
    near_tie: bool
    p_token: NDArray[np.float64]
    pay: NDArray[np.float64]
    critical_bid: NDArray[np.float64]
    w_minus: NDArray[np.float32]
    row_status: NDArray[np.int32]
    log_z: NDArray[np.float64]
    top_id: NDArray[np.int32]
    top_logit: NDArray[np.float32]
    weights: NDArray[np.float32]
    decision: NDArray[np.float64] | None = None
    mixture: NDArray[np.float32] | None = None
    predictor: NDArray[np.uint64] | None = None
    policy: bool = False

    @classmethod
    def of(cls, result: object, weights: NDArray[np.float32]) -> Outcome:
        """What the kernel's binding answered (with its best tokens), under the same names."""
        names = ("token", "ref_token", "margin", "near_tie", *_PER_ROW)
        return cls(**{name: getattr(result, name) for name in names}, weights=weights)

    @cached_property
    def paid(self) -> bool:
        """Somebody pays for this token."""
        return any(pay > 0 for pay in self.pay.tolist())

    @cached_property
    def sponsored(self) -> bool:
        """An advertiser changed this token, or pays because it kept another from changing it."""
        return not self.policy and (self.token != self.ref_token or self.paid)

    @cached_property
    def winner(self) -> int:
        """Row a sponsored token is credited to: who pays most, else who contributed most.

        0 (the reference) when the token is not sponsored.
        """
        if not self.sponsored:
            return 0
        score = self.pay if self.paid else self.weights * self.p_token
        return 1 + int(np.argmax(score[1:]))

    @property
    def flags(self) -> Flag:
        flags = Flag(0)
        if self.sponsored:
            flags |= Flag.SPONSORED
        if self.near_tie:
            flags |= Flag.NEAR_TIE
        if any(self.row_status.tolist()):  # not RowStatus.OK
            flags |= Flag.ROW_DROPPED
        if self.policy:
            flags |= Flag.POLICY
        return flags

    def charges(self, rule: str) -> NDArray[np.float64]:
        """Per-row charge in weight units: `critical_bid` is c_t P_i(token), any other is `pay`."""
        if rule == "critical_bid":
            return self.critical_bid * self.p_token
        return self.pay

    def instead(self, place: int, temperature: float) -> Outcome:
        """The reference's `top_id[0, place]` said in place of the token: nobody pays for it.

        P(token) is that of the new token; margin, near tie and W_-i stay those of the auction.
        """
        logit = self.top_logit[:, place].astype(np.float64)
        nothing = np.zeros_like(self.pay)
        return replace(
            self,
            token=int(self.top_id[0, place]),
            p_token=np.exp(logit / temperature - self.log_z),
            pay=nothing,
            critical_bid=nothing,
            policy=True,
        )

    def same_as(self, other: Outcome) -> bool:
        """Bit-for-bit equal: the sign that a replay computed the same logits."""
        return (
            self.token == other.token
            and self.margin == other.margin
            and np.array_equal(self.p_token, other.p_token)
            and np.array_equal(self.pay, other.pay)
        )
