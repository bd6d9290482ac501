# SPDX-License-Identifier: Apache-2.0
"""A decoder that plays a script: at every index what the auction chose, and what the reference
would say, best first. Single tokens of the real tokenizer, written as text."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from tokenizers import Tokenizer

from bls.contracts import TOP
from bls.errors import internal
from bls.reply.bids import Bids
from bls.reply.outcome import Outcome

EOS = "<|im_end|>"
TEMPERATURE = 0.7


@dataclass(frozen=True)
class Step:
    """One token: the auction's choice, then the reference's candidates."""

    chosen: str
    reference: tuple[str, ...] = ()


@dataclass
class Scripted:
    """`Decoder` of two rows in which the advertiser pays for every token.

    Attributes:
        fed: tokens that were appended to the rows, replays included.
        fail_at: calls of `step` before which the worker is lost.
    """

    tokenizer: Tokenizer
    steps: tuple[Step, ...]
    fail_at: tuple[int, ...] = ()
    fed: list[int] = field(default_factory=list)
    calls: int = 0

    def prefill(self, rows: object, bids: Bids) -> Outcome:
        self.fed.clear()
        return self.outcome(0)

    def step(self, token: int, bids: Bids, index: int) -> Outcome:
        self.calls += 1
        if self.calls in self.fail_at:
            raise internal()
        self.fed.append(token)
        return self.outcome(index)

    def reopen(self) -> None: ...

    def end(self) -> None: ...

    def outcome(self, index: int) -> Outcome:
        step = self.steps[index]
        ids = [token_id(self.tokenizer, text) for text in step.reference]
        top = np.full((2, TOP), -1, np.int32)
        top[0, : len(ids)] = ids
        logits = np.full((2, 2 * TOP), -np.inf, np.float32)
        logits[0, : len(ids)] = -np.arange(len(ids))
        logits[1, : len(ids)] = -2.0
        return Outcome(
            token=token_id(self.tokenizer, step.chosen),
            ref_token=ids[0] if ids else 0,
            margin=0.25,
            near_tie=False,
            p_token=np.array([0.1, 0.9]),
            pay=np.array([0.0, 0.3]),
            critical_bid=np.array([0.0, 0.5]),
            w_minus=np.array([2.0, 0.5], np.float32),
            row_status=np.zeros(2, np.int32),
            log_z=np.array([1.0, 2.0]),
            top_id=top,
            top_logit=logits,
            weights=np.ones(2, np.float32),
        )


def token_id(tokenizer: Tokenizer, text: str) -> int:
    """The id of a text that is one token."""
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert len(ids) == 1, f"{text!r} is {len(ids)} tokens"
    return int(ids[0])


def say(text: str) -> tuple[Step, ...]:
    """Steps of a text, a token each, divided by `|`; the reference agrees."""
    return tuple(Step(piece, (piece,)) for piece in text.split("|"))
