# SPDX-License-Identifier: Apache-2.0
"""The reply loop: request in, tokens out, one auction per token, one receipt.

    header -> [weights -> next outcome -> filter -> text, winner, charges -> event]* -> receipt

Every exit (end of text, length, stop string, filter, deadline, cancellation, error) frees the
conversation's rows. A reply has a thread of its own, which blocks while a token is made; deadline
and cancellation come from the watchdog, which frees the rows under it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bls.brain.opening import open_brain
from bls.errors import SkynetError
from bls.reply.bids import Weights
from bls.reply.outcome import Outcome
from bls.reply.reply import Reply
from bls.reply.told import header, receipt
from bls.reply.watchdog import Watchdog, Watched


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


def run_reply(reply: Reply, sink: Sink, watchdog: Watchdog) -> None:
    """Write the reply to the sink. Raises `SkynetError`; always frees the conversation.

    Afterwards `receipt(reply)` holds what was delivered, however the reply ended.
    """
    try:
        sink.start(header(reply))
        with watchdog.watching(Watched(reply.deadline, _unseen(reply, sink), reply.abort)):
            if reply.services.brain is not None:
                reply.brain = open_brain(
                    reply.request, reply.prelude, reply.services.brain, reply.score
                )
            _tokens(reply, sink)
        if reply.finish_reason != "cancelled":
            sink.end(reply.finish_reason, receipt(reply))
    except SkynetError:
        reply.finish_reason = "error"
        raise
    finally:
        try:
            reply.line.decoder.end()
        finally:
            if reply.brain is not None:
                reply.brain.close(reply.net)


def _unseen(reply: Reply, sink: Sink) -> Callable[[], bool]:
    """Whether the reader left before the first token; later the sink says so itself."""
    return lambda: not reply.account.tokens and sink.cancelled()


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
