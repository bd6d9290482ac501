# SPDX-License-Identifier: Apache-2.0
"""The filter over one reply: lets a token pass, or gives its place to the reference.

Seed: token_auction C-1 E, U-05, I-04. A refused token is replaced by the best safe token of the
reference row's 16 best; where none is safe, nothing more can be said.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bls.policy.filter import PolicyFilter
from bls.policy.verdict import Verdict
from bls.policy.window import Draft, Window
from bls.reply.outcome import Outcome

BUDGET_S = 0.003
"""Time a token may spend in the filter (seed: 3 ms, AUC-C-02)."""

FAULT = "classifier_fault"
STREAM = "auction.policy"


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """A line of `auction.policy`: ids and a reason, never text.

    Attributes:
        ts: Unix seconds.
        blocked: token the auction chose; None when only the classifier failed.
        replacement: what was said instead; None: the reply ended here.
    """

    ts: float
    token_idx: int
    reason: str
    blocked: int | None = None
    replacement: int | None = None


class ReplyPolicy:
    """State of the filter in one reply, and what it counted.

    Args:
        allowed: contacts the reader or this reply's advertisers wrote themselves.
        temperature: of the reply, for P(replacement).

    Attributes:
        held: characters at the end of the text that may not be shown yet.
        dropped: characters held back so far that the last token made unfit to be shown ever.
        lines: for `auction.policy`.
    """

    def __init__(
        self,
        policy: PolicyFilter,
        window: Window,
        allowed: frozenset[str],
        eos_ids: frozenset[int],
        temperature: float,
    ) -> None:
        self._policy = policy
        self._window = window
        self._allowed = allowed
        self._eos_ids = eos_ids
        self._temperature = temperature
        self.held = self.dropped = 0
        self.lines: list[PolicyLine] = []
        self.tokens = self.slow = self.replaced = self.ended = self.faults = 0
        self.seconds = 0.0

    def rule(self, outcome: Outcome, index: int, last: bool) -> Outcome | None:
        """What is said: the auction's token, the reference's in its place, None: nothing is safe.

        Args:
            last: the reply ends with this token, whatever it is.
        """
        began = time.perf_counter()
        said = self._rule(outcome, index, last)
        spent = time.perf_counter() - began
        self.tokens += 1
        self.seconds += spent
        self.slow += spent > BUDGET_S
        return said

    def _rule(self, outcome: Outcome, index: int, last: bool) -> Outcome | None:
        draft = self._window.draft(outcome.token)
        verdict = self._judge(draft, index, last)
        self.dropped = 0 if verdict.safe or not verdict.taints_held else self.held
        if verdict.safe:
            self._accept(draft, verdict)
            return outcome
        self._window.drop(self.dropped)
        self.held -= self.dropped
        return self._instead(outcome, index, last, verdict.reason)

    def _instead(self, outcome: Outcome, index: int, last: bool, reason: str) -> Outcome | None:
        """The first safe token of the reference, best first."""
        for place, token in enumerate(outcome.top_id[0].tolist()):
            if token in (-1, outcome.token):
                continue
            draft = self._window.draft(token)
            if not draft.adds_text and token not in self._eos_ids:
                continue  # half a character or a control token
            verdict = self._judge(draft, index, last)
            if verdict.safe:
                self.replaced += 1
                self._note(index, reason, outcome.token, token)
                self._accept(draft, verdict)
                return outcome.instead(place, self._temperature)
        self.ended += 1
        self._note(index, reason, outcome.token, None)
        return None

    def _judge(self, draft: Draft, index: int, last: bool) -> Verdict:
        final = last or draft.stopped or draft.token in self._eos_ids
        verdict = self._policy.check(draft.text, draft.since, final, self._allowed)
        if verdict.fault:
            self.faults += 1
            if self.faults == 1:
                self._note(index, FAULT, None, None)
        return verdict

    def _accept(self, draft: Draft, verdict: Verdict) -> None:
        """Only what has not been shown can still be held."""
        unseen = self.held + len(draft.text) - draft.since
        self.held = min(verdict.held, unseen)
        self._window.accept(draft)

    def _note(self, index: int, reason: str, blocked: int | None, replacement: int | None) -> None:
        self.lines.append(PolicyLine(time.time(), index, reason, blocked, replacement))
