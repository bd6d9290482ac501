# SPDX-License-Identifier: Apache-2.0
"""One reply while it is written: what it was asked, what it holds, and how it stands."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from tokenizers import Tokenizer

from bls.bidding import LiveBidder, Seat
from bls.brain.brain import Brain
from bls.brain.services import BrainServices
from bls.campaigns import Campaigns
from bls.phantom.bridge import DIALS, Dials, Ruling
from bls.policy.filter import PolicyFilter, load_filter
from bls.policy.personal import contacts
from bls.policy.reply import ReplyPolicy
from bls.policy.window import Window
from bls.prelude.prelude import Prelude
from bls.prompt.rows import PromptRows
from bls.reply.bids import Bids
from bls.reply.decoder import Decoder, Replayable
from bls.reply.draw import DrawKey
from bls.reply.receipt import Account
from bls.reply.score import LiveScore
from bls.reply.text import TextStream
from bls.request import ReplyRequest

_SENTENCE_ENDS = (".", "!", "?", '."', '!"', '?"', ":", "\n")
_CLOSING_TOKENS = 24
"""Tokens that the reference has to end the sentence in, after the last plan ran out."""


@dataclass(frozen=True)
class ReplyServices:
    """What every reply of a process shares; without a brain every bid is the one it came with."""

    model: str
    eos_ids: frozenset[int]
    tokenizer: Tokenizer
    campaigns: Campaigns
    policy: PolicyFilter = field(default_factory=load_filter)
    brain: BrainServices | None = None


@dataclass
class Reply:
    """The one object that carries a reply; `run_reply` is the only thing that changes it.

    Attributes:
        score: f(tau) of the chat's shop session, which the gateway may replace at any time.
    """

    request: ReplyRequest
    draw: DrawKey
    services: ReplyServices
    prelude: Prelude
    line: Replayable
    bidder: LiveBidder
    account: Account
    text: TextStream
    policy: ReplyPolicy
    score: LiveScore = field(default_factory=LiveScore)
    first_token_s: float | None = None
    finish_reason: str = ""
    aborted: str = ""
    closing: int = 0
    brain: Brain | None = None

    @property
    def seats(self) -> tuple[Seat, ...]:
        return self.prelude.seats

    @property
    def prompt(self) -> PromptRows:
        return self.prelude.prompt

    @property
    def deadline(self) -> float:
        """When the reply must be over, in `time.monotonic` seconds."""
        return self.prelude.began + self.request.deadline_ms / 1e3

    def leave(self) -> None:
        """The reader is gone: end with the token under way. Never blocks."""
        if not self.aborted and not self.finish_reason:
            self.aborted = "cancelled"

    def abort(self, reason: str) -> None:
        """End the reply from outside, once: `deadline` or `cancelled`. Waits for the rows."""
        if not self.aborted and not self.finish_reason:
            self.aborted = reason
            self.line.decoder.end()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.prelude.began

    def bids(self, index: int) -> Bids:
        """What the rows bring to token `index`."""
        offers = self.bidder.offers(index)
        if self.brain is not None:
            return self.brain.bids(index, offers)
        return Bids(np.array([self.request.auction.w_ref, *offers.bids], np.float32))

    def planned_out(self, text: str) -> bool:
        """The request asked to end with its ads' plans: all are over, and so is the sentence."""
        if self.request.auction.plan != "reply" or self.brain is None or not self.brain.left:
            return False
        self.closing += 1
        if self.policy.held:  # a word that the filter has not judged whole must not get out
            return False
        return text.rstrip().endswith(_SENTENCE_ENDS) or self.closing > _CLOSING_TOKENS

    @cached_property
    def ruling(self) -> Ruling:
        """On its traffic. Made when first asked for, once the reply is over: what is refunded is
        decided in one moment, whatever the score becomes while receipts are written."""
        if self.request.session_id is None:
            return Ruling()
        discounted = sorted(self.brain.discounted) if self.brain is not None else ()
        return Ruling.of(self.score.value, self.dials(), len(self.seats), discounted)

    def dials(self) -> Dials:
        """Of the last token, or those in force before the first."""
        if self.brain is not None:
            return self.brain.params.dials
        brain = self.services.brain
        return DIALS if brain is None else brain.params()[0].dials

    @property
    def refunds(self) -> list[int]:
        """Micro-dollars given back to each advertiser, in row order."""
        return self.ruling.refunds(self.account.charges)

    @property
    def net(self) -> list[int]:
        """What each advertiser is billed, in row order."""
        return [c - r for c, r in zip(self.account.charges, self.refunds, strict=True)]


def open_reply(
    request: ReplyRequest,
    draw: DrawKey,
    services: ReplyServices,
    decoder: Decoder,
    prelude: Prelude,
) -> Reply:
    """A reply that is ready to run; nothing is allocated yet."""
    auction, seats = request.auction, prelude.seats
    written = [message.content for message in request.messages]
    written += [seat.ad_prompt for seat in seats]
    return Reply(
        request=request,
        draw=draw,
        services=services,
        prelude=prelude,
        line=Replayable(decoder, prelude.prompt.rows),
        bidder=LiveBidder(seats),
        account=Account(seats, auction.rule, services.campaigns.micros_per_weight),
        text=TextStream(services.tokenizer, request.stop),
        policy=ReplyPolicy(
            services.policy,
            Window(services.tokenizer, request.stop),
            contacts(written),
            services.eos_ids,
            request.temperature,
        ),
        score=LiveScore(request.agent_probability),
    )
