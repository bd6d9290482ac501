# SPDX-License-Identifier: Apache-2.0
"""The remote rows of one reply, and where they meet the local ones, token by token.

A token is announced to the bidders when the worker gets the step. It is decided when the local
rows are there and every bidder has answered, has run out of time, or is not waited for. A bidder
has until its deadline, or until the local rows are there if that is later: then it costs nobody
anything. Rows without an answer are -inf, which the auction leaves out of the token.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bls.errors import SkynetError, invalid
from bls.remote.bidder import Bidder
from bls.remote.chunk import Fault, MalformedError, parse, write_row
from bls.remote.line import Line
from bls.remote.remote_bidder_pb2 import Next, Turn
from bls.remote.stats import RemoteStats

_LAST = "Only the last token's logits are kept."

Logits = NDArray[np.float32]
Answer = Callable[[Logits | SkynetError], None]
"""Takes the rows of a token, f32 [R, V], valid until it returns; or why there are none."""


@dataclass
class Token:
    """The token under way. `local_at`: when the local rows were there."""

    index: int
    answer: Answer
    local_at: float = 0.0
    came: set[Line] = field(default_factory=set)
    faulty: set[Line] = field(default_factory=set)


class Conversation:
    """Called by the server's thread (`announce`, `close`), the worker's reader (`local`) and the
    loop (everything that a bidder does). Whoever completes a token sends it, once.

    Args:
        away: told, on the loop, when a token whose local rows are there waits for a bidder.
    """

    def __init__(
        self,
        bidders: Sequence[Bidder],
        local_rows: int,
        loop: asyncio.AbstractEventLoop,
        stats: RemoteStats,
        away: Callable[[], None],
    ) -> None:
        self.lines = tuple(Line(bidder, stats, self._hear, self._look) for bidder in bidders)
        self.local_rows = local_rows
        self.touched_at = time.monotonic()
        size = bidders[0].vocabulary.size
        self._rows = np.empty((local_rows + len(bidders), size), np.float32)
        self._row_of = {line: local_rows + i for i, line in enumerate(self.lines)}
        self._loop = loop
        self._stats = stats
        self._away = away
        self._lock = threading.Lock()
        self._announced: list[float] = []
        self._token: Token | None = None

    @property
    def rows(self) -> int:
        return len(self._rows)

    def open(self, prompt: tuple[int, ...], answer: Answer) -> None:
        """Dial every bidder and announce token 0."""
        self._expect(answer)
        for line in self.lines:
            self._loop.call_soon_threadsafe(line.open, line.bidder.opening(prompt))

    def announce(self, token: int, answer: Answer) -> None:
        """`token` was decided: ask for the next one. Raises `bad_step` while one is under way."""
        index = self._expect(answer)
        turn = Turn(next=Next(index=index, token=token))
        for line in self.lines:
            self._loop.call_soon_threadsafe(line.say, turn)

    def again(self, index: int, answer: Answer) -> None:
        """The rows of token `index` once more, if it is the last one; waits while it is made."""
        with self._lock:
            known = len(self._announced) - 1 == index
            if known and self._token is not None:
                self._token.answer = _both(self._token.answer, answer)
                return
        answer(self._rows if known else SkynetError("not_the_last_token", _LAST, 409))

    def local(self, logits: Logits) -> None:
        """The local rows of the token under way."""
        with self._lock:
            if self._token is None:
                return
            self._rows[: self.local_rows] = logits
            self._token.local_at = time.monotonic()
        self._look()

    def close(self, reason: SkynetError) -> None:
        """End the streams; a token under way is answered with `reason`."""
        with self._lock:
            token, self._token = self._token, None
        for line in self.lines:
            self._loop.call_soon_threadsafe(line.hang_up)
        if token is not None:
            token.answer(reason)

    def _expect(self, answer: Answer) -> int:
        """The clock of the next token starts; returns its index."""
        with self._lock:
            if self._token is not None:
                raise invalid("bad_step", "A step waits for the one before it.")
            self.touched_at = time.monotonic()
            self._announced.append(self.touched_at)
            self._token = Token(len(self._announced) - 1, answer)
            return self._token.index

    def _hear(self, line: Line, raw: bytes) -> None:
        with self._lock:
            try:
                self._take(line, raw)
            except MalformedError as error:
                if self._token is not None:
                    self._token.faulty.add(line)
                line.faulty(error.fault)
        self._look()

    def _take(self, line: Line, raw: bytes) -> None:
        """Put a chunk into its row, or count it as late. Raises `MalformedError`."""
        chunk = parse(raw)
        if not line.answered < chunk.index < len(self._announced):
            raise MalformedError(Fault.ORDER)
        line.answered = chunk.index
        seconds = time.monotonic() - self._announced[chunk.index]
        bidder, token = line.bidder, self._token
        if token is None or token.index != chunk.index:
            self._stats.late.add(advertiser=bidder.advertiser)
            if seconds <= bidder.deadline_s:
                line.in_time()
            return
        row = self._rows[self._row_of[line]]
        write_row(chunk, bidder.vocabulary, bidder.endpoint.top_k, row)
        token.came.add(line)
        line.in_time()
        self._stats.chunks.add(advertiser=bidder.advertiser)
        self._stats.answer_s.add(seconds, advertiser=bidder.advertiser)

    def _look(self) -> None:
        """Send the token if nothing is worth waiting for; else look again when time is up."""
        with self._lock:
            token = self._token
            if token is None or not token.local_at:
                return
            now = time.monotonic()
            wait = self._wait_until(token) - now
            if wait > 0:
                self._loop.call_soon_threadsafe(self._sleep, wait)
                return
            self._token = None
            self._leave_out(token)
            self._stats.waited(now - token.local_at)
        token.answer(self._rows)

    def _sleep(self, seconds: float) -> None:
        self._away()
        self._loop.call_later(seconds, self._look)

    def _wait_until(self, token: Token) -> float:
        """The last deadline of a bidder that is worth waiting for, 0 if none is."""
        announced = self._announced[token.index]
        missing = [x for x in self.lines if x.patient and x not in token.came | token.faulty]
        return max((announced + line.bidder.deadline_s for line in missing), default=0.0)

    def _leave_out(self, token: Token) -> None:
        for line, row in self._row_of.items():
            if line in token.came:
                continue
            self._rows[row] = -np.inf
            reason = "deadline" if line.up else "unavailable"
            if line in token.faulty:
                reason = "malformed"
            elif line.up:
                line.missed()
            self._stats.left_out.add(advertiser=line.bidder.advertiser, reason=reason)


def _both(first: Answer, second: Answer) -> Answer:
    def answer(result: Logits | SkynetError) -> None:
        first(result)
        second(result)

    return answer
