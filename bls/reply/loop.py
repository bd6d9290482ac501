# SPDX-License-Identifier: Apache-2.0
"""The reply loop: request in, tokens out, one auction per token, one receipt.

    header -> [weights -> next outcome -> filter -> text, winner, charges -> event]* -> receipt

Every exit (end of text, length, stop string, filter, deadline, cancellation, error) frees the
conversation's rows. A reply has a thread of its own, which blocks while a token is made; deadline
and cancellation come from the watchdog, which frees the rows under it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bls.bidding import LiveBidder, Seat
from bls.brain.brain import Brain
from bls.brain.opening import open_brain
from bls.brain.services import BrainServices
from bls.campaigns import Campaigns
from bls.errors import SkynetError
from bls.phantom.bridge import DIALS, Dials, Ruling
from bls.policy.filter import PolicyFilter, load_filter
from bls.policy.personal import contacts
from bls.policy.reply import ReplyPolicy
from bls.policy.window import Window
from bls.prelude.prelude import Prelude
from bls.prompt.rows import PromptRows
from bls.reply.bids import Bids, Weights
from bls.reply.decoder import Decoder, Replayable
from bls.reply.draw import DrawKey
from bls.reply.outcome import Outcome
from bls.reply.receipt import CURRENCY, Account
from bls.reply.score import LiveScore
from bls.reply.text import TextStream
from bls.reply.watchdog import Watchdog, Watched
from bls.request import ReplyRequest

_SENTENCE_ENDS = (".", "!", "?", '."', '!"', '?"', ":", "\n")
_CLOSING_TOKENS = 24
"""Tokens that the reference has to end the sentence in, after the last plan ran out."""


@dataclass(frozen=True)
class TokenEvent:
    """One token as the reader's side sees it; arrays are [R]."""

    index: int
    text: str
    outcome: Outcome
    winner: int
    weights: Weights
    charges: NDArray[np.float64]


class Sink(Protocol):
    """Where a reply goes, in order. `cancelled`: the reader is gone.

    A sink that finds the reader gone while it delivers a token calls `Reply.leave`.
    """

    def start(self, header: dict[str, object]) -> None: ...

    def token(self, event: TokenEvent) -> None: ...

    def end(self, finish_reason: str, receipt: dict[str, object]) -> None: ...

    def cancelled(self) -> bool: ...


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
    """The one object that carries a reply; `run` is the only thing that changes it.

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

    def unseen(self, sink: Sink) -> Callable[[], bool]:
        """Whether the reader left before the first token; later the sink says so itself."""
        return lambda: not self.account.tokens and sink.cancelled()

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
        return Ruling.of(self.score.value, self._dials(), len(self.seats), discounted)

    def _dials(self) -> Dials:
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

    def _traffic(self) -> dict[str, object]:
        """The receipt's part about its shop session; nothing without one."""
        if self.request.session_id is None:
            return {}
        refunds = self.refunds
        lines = [{"row": n, "refund_micros": r} for n, r in enumerate(refunds, start=1) if r]
        return {
            "refunds": lines,
            "refunded_micros": sum(refunds),
            "net_micros": sum(self.net),
            "traffic": self.ruling.as_json(),
        }

    def header(self) -> dict[str, object]:
        """What the START event says."""
        return {
            "conv_id": self.request.conv_id,
            "request_id": self.request.request_id,
            "model": self.services.model,
            **self._choice(),
            "rows": ["reference", *(seat.advertiser for seat in self.seats)],
            "bids": [self.request.auction.w_ref, *(seat.bid for seat in self.seats)],
            **self.prelude.header(),
            **self._session(),
        }

    def _session(self) -> dict[str, object]:
        """What the gateway needs to judge clicks by; nothing without a shop session."""
        if self.request.session_id is None:
            return {}
        return {"traffic": {"invalid_at": self._dials().invalid_at}}

    def _choice(self) -> dict[str, object]:
        """How tokens are chosen; with the seed a drawn reply can be drawn again."""
        mode = self.request.auction.mode
        return {"mode": mode, "seed": self.draw.seed} if mode == "sample" else {"mode": mode}

    def receipt(self) -> dict[str, object]:
        """What the END event says."""
        account = self.account
        return {
            "request_id": self.request.request_id,
            "conv_id": self.request.conv_id,
            "model": self.services.model,
            "finish_reason": self.finish_reason,
            "prompt_tokens": self.prompt.prompt_tokens,
            "completion_tokens": account.tokens,
            "sponsored_tokens": account.sponsored,
            "near_tie_tokens": account.near_ties,
            "policy_tokens": self.policy.replaced,
            **self._choice(),
            "charge_rule": account.rule,
            "currency": CURRENCY,
            "micros_per_weight": account.micros_per_weight,
            "total_micros": account.total_micros,
            "lines": account.lines(),
            **self._traffic(),
            "disclosure": account.disclosure(),
            "timings": {
                "ttft_ms": round((self.first_token_s or 0.0) * 1e3, 3),
                "total_ms": round(self.elapsed_s * 1e3, 3),
            },
        }


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


def run_reply(reply: Reply, sink: Sink, watchdog: Watchdog) -> None:
    """Write the reply to the sink. Raises `SkynetError`; always frees the conversation.

    Afterwards `reply.receipt()` holds what was delivered, however the reply ended.
    """
    try:
        sink.start(reply.header())
        with watchdog.watching(Watched(reply.deadline, reply.unseen(sink), reply.abort)):
            if reply.services.brain is not None:
                reply.brain = open_brain(
                    reply.request, reply.prelude, reply.services.brain, reply.score
                )
            _tokens(reply, sink)
        if reply.finish_reason != "cancelled":
            sink.end(reply.finish_reason, reply.receipt())
    except SkynetError:
        reply.finish_reason = "error"
        raise
    finally:
        try:
            reply.line.decoder.end()
        finally:
            if reply.brain is not None:
                reply.brain.close(reply.net)


def _tokens(reply: Reply, sink: Sink) -> None:
    """Token after token until there is a reason to finish."""
    for index in range(reply.request.max_tokens):
        try:
            outcome = reply.line.next(reply.bids(index))
        except SkynetError:
            if not reply.aborted:
                raise
            return _aborted(reply)
        if reply.first_token_s is None:
            reply.first_token_s = reply.elapsed_s
        last = index + 1 == reply.request.max_tokens
        said = reply.policy.rule(outcome, index, last)
        if said is None:
            reply.finish_reason = "content_filter"
            return None
        reply.line.say_instead(said.token)
        sink.token(_event(reply, index, said, last))
        if reply.aborted and not reply.finish_reason:
            return _aborted(reply)
        if reply.finish_reason:
            return None
    return None


def _aborted(reply: Reply) -> None:
    """The watchdog ended the reply: say why, or fail when the reader has nothing yet."""
    reply.finish_reason = reply.aborted
    if reply.aborted == "deadline" and not reply.account.tokens:
        raise SkynetError("deadline_exceeded", "No token was ready before the deadline.", 504)


def _event(reply: Reply, index: int, outcome: Outcome, last: bool) -> TokenEvent:
    reply.account.add(outcome)
    if reply.brain is not None:
        reply.brain.saw(index, outcome)
    reply.text.drop(reply.policy.dropped)
    if outcome.token in reply.services.eos_ids:
        reply.finish_reason = "stop"
        text = reply.text.flush()
    else:
        text = reply.text.push(outcome.token, reply.policy.held)
        if reply.text.stopped:
            reply.finish_reason = "stop"
        elif last or reply.planned_out(text):
            reply.finish_reason = "length" if last else "plan"
            text += reply.text.flush()
    charges = outcome.charges(reply.account.rule)
    return TokenEvent(index, text, outcome, outcome.winner, outcome.weights, charges)
