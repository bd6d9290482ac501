# SPDX-License-Identifier: Apache-2.0
"""How a reply gets its tokens, and how it survives a lost LLM worker.

Every `snapshot_every` tokens the outcome is kept as a savepoint. When the worker that held the
KV cache is gone, the prompt is prefilled again, the generated tokens are fed again one by one,
and the last savepoint must come out bit for bit; the reader sees a pause, not a gap. What a remote
bidder answers in time is not ours to repeat: a reply with one is replayed without that check.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from bls.contracts import REMOTE
from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.reply.bids import Bids, Weights
from bls.reply.outcome import Outcome

_LOST = frozenset({"unknown_conversation", "worker_lost", "internal"})
_REPLAYS = 2


class Decoder(Protocol):
    """One conversation's line to `decode_step`.

    `prefill` answers token 0; `step` appends `token` and answers token `index`.

    Calls block. `end` may come from another thread at any time: it frees the rows, and a call
    that waits, or any later one, raises `cancelled`. `reopen` frees them for a replay.
    """

    def prefill(self, rows: tuple[tuple[int, ...], ...], bids: Bids) -> Outcome: ...

    def step(self, token: int, bids: Bids, index: int) -> Outcome: ...

    def reopen(self) -> None: ...

    def end(self) -> None: ...


@dataclass
class Replayable:
    """A decoder that replays the reply when the worker lost it.

    Attributes:
        weights: with which each token was auctioned; a replay repeats them as fixed ones.
        replays: how often it had to.
        audits: (savepoint index, identical) of every replay.
    """

    decoder: Decoder
    rows: tuple[tuple[int, ...], ...]
    tokens: list[int] = field(default_factory=list)
    weights: list[Weights] = field(default_factory=list)
    savepoints: dict[int, Outcome] = field(default_factory=dict)
    replays: int = 0
    audits: list[tuple[int, bool]] = field(default_factory=list)

    def next(self, bids: Bids) -> Outcome:
        """The outcome of the next token. Raises `SkynetError` when replaying cannot help."""
        while True:
            try:
                outcome = self._advance(bids)
                break
            except SkynetError as error:
                if error.code not in _LOST or self.replays >= _REPLAYS:
                    raise
                self.replays += 1
                self.decoder.reopen()
                if self.tokens:
                    self._replay()
        self._keep(outcome)
        return outcome

    def say_instead(self, token: int) -> None:
        """The reader got `token` for the last outcome: it is what the rows and a replay are fed."""
        self.tokens[-1] = token

    def _advance(self, bids: Bids) -> Outcome:
        if not self.tokens:
            return self.decoder.prefill(self.rows, bids)
        return self.decoder.step(self.tokens[-1], bids, len(self.tokens))

    def _replay(self) -> None:
        """Rebuild the KV cache up to, not including, the token whose step failed."""
        last = max(self.savepoints)
        outcome = self.decoder.prefill(self.rows, Bids(self.weights[0]))
        for index, token in enumerate(self.tokens):
            if index == last and not self._has_remote:
                self.audits.append((last, outcome.same_as(self.savepoints[last])))
            if index + 1 < len(self.tokens):
                bids = Bids(self.weights[index + 1])
                outcome = self.decoder.step(token, bids, index + 1)

    @property
    def _has_remote(self) -> bool:
        return self.rows[-1][0] <= REMOTE

    def _keep(self, outcome: Outcome) -> None:
        if len(self.tokens) % LIMITS.snapshot_every == 0:
            self.savepoints = {len(self.tokens): outcome}
        self.tokens.append(outcome.token)
        self.weights.append(outcome.weights)
