# SPDX-License-Identifier: Apache-2.0
"""Records made by the real kernel from random logits, and replies that add up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bls.bidding import Seat
from bls.reply.outcome import Outcome
from bls.reply.receipt import Account
from bls.settlement.ledger import Ledger
from bls.settlement.record import Head, ReceiptRecord, Record, TokenRecord
from kernels_cuda.auction import Auction, Draw

NAMES = ("alpine_rail", "harbor_hotels", "lumen_coffee", "stride_shoes", "kite_meals")


@dataclass
class Workshop:
    """Makes whole replies: `rows` rows of `vocab` normal logits with deviation `scale`."""

    rng: np.random.Generator
    auction: Auction
    rows: int = 4
    vocab: int = 200
    scale: float = 3.0
    mode: str = "argmax"
    charge_rule: str = "clarke"
    made: int = 0

    def reply(self, tokens: int) -> list[Record]:
        """The records of one reply, its receipt last."""
        head = self.head()
        return billed(head, [self.token(head, index) for index in range(tokens)])

    def tied_reply(self, tokens: int) -> list[Record]:
        """A reply whose two best tokens always tie, exactly."""
        head, found = self.head(), []
        for index in range(tokens):
            logits = self.rng.normal(size=(self.rows, self.vocab)).astype(np.float32)
            best = self.rng.choice(self.vocab, 2, replace=False)
            logits[:, best] = logits.max() + 1
            weights = np.ones(self.rows, np.float32)
            outcome = self.outcome(head, index, logits, weights)
            found.append(TokenRecord(head, 1e9, index, weights, outcome))
        return billed(head, found)

    def head(self) -> Head:
        """A new reply."""
        self.made += 1
        return Head(
            conv_id=f"conv-{self.made}",
            request_id=f"req-{self.made}",
            advertisers=NAMES[: self.rows - 1],
            mode=self.mode,
            seed=self.made * 7,
            conv=2**60 + self.made,
            temperature=0.7,
            charge_rule="stable_sampling" if self.mode == "sample" else self.charge_rule,
            micros_per_weight=1_000,
        )

    def token(self, head: Head, index: int) -> TokenRecord:
        """One token auctioned by the kernel; rows resemble each other, as ads on one chat do."""
        shape = (self.rows, self.vocab)
        shared = self.rng.normal(size=(1, self.vocab)) * self.scale
        logits = (shared + self.rng.normal(size=shape) * self.scale / 2).astype(np.float32)
        weights = self.rng.uniform(0.2, 2.0, self.rows).astype(np.float32)
        return TokenRecord(
            head, 1e9 + index, index, weights, self.outcome(head, index, logits, weights)
        )

    def outcome(self, head: Head, index: int, logits: np.ndarray, weights: np.ndarray) -> Outcome:
        draw = Draw(head.seed, head.conv, index) if head.mode == "sample" else None
        got = self.auction.run(logits, weights, head.temperature, draw=draw, top=True)
        return Outcome.of(got, weights)


def billed(head: Head, tokens: list[TokenRecord]) -> list[Record]:
    """The tokens and their receipt."""
    return [*tokens, receipt(head, tokens)]


def receipt(head: Head, tokens: list[TokenRecord]) -> ReceiptRecord:
    """What the reply loop would bill for these tokens."""
    seats = [Seat(name, "ad", 1.0) for name in head.advertisers]
    account = Account(seats, head.charge_rule, head.micros_per_weight)
    for token in tokens:
        account.add(token.outcome)
    return ReceiptRecord(
        1e9,
        {
            "conv_id": head.conv_id,
            "request_id": head.request_id,
            "completion_tokens": account.tokens,
            "total_micros": account.total_micros,
            "lines": account.lines(),
        },
    )


def write(folder: Path, records: list[Record]) -> None:
    """Through the real ledger to files."""
    faults: list[Exception] = []
    ledger = Ledger(folder, faults.append)
    for record in records:
        ledger.put(record)
    ledger.close()
    assert not faults
