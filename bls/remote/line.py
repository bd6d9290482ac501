# SPDX-License-Identifier: Apache-2.0
"""One reply's stream to one bidder: turns out, chunks in, and how far the bidder is trusted.

A bidder that misses a few tokens in a row is not waited for any longer, until it shows that it can
answer within its deadline. One that sends nonsense a few times, or whose stream breaks, is out for
the rest of the reply, and its breaker keeps it out of the next ones for a while.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

import grpc

from bls.limits import LIMITS
from bls.remote.bidder import Bidder
from bls.remote.chunk import Fault
from bls.remote.remote_bidder_pb2 import Close, Turn
from bls.remote.stats import RemoteStats

_LOG = logging.getLogger(__name__)
_DETAILS = 200
"""Characters of what a stranger says of its failure that go into our log."""
_GOODBYE_S = 1.0
"""How long a bidder may take to end the stream of a reply that is over."""


class Line:
    """Methods are called on the exchange's loop; `up` and `patient` may be read anywhere.

    Args:
        hear: takes each chunk as it came.
        broken: told, once and later, that the line is out before the reply is over.

    Attributes:
        up: chunks may still come.
        answered: the highest index that the bidder answered.
    """

    def __init__(
        self,
        bidder: Bidder,
        stats: RemoteStats,
        hear: Callable[[Line, bytes], None],
        broken: Callable[[], None],
    ) -> None:
        self.bidder = bidder
        self.up = True
        self.answered = -1
        self._misses = self._faults = 0
        self._stats = stats
        self._hear = hear
        self._broken = broken
        self._turns: asyncio.Queue[Turn] = asyncio.Queue(LIMITS.remote_turns)
        self._dialled_at = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def patient(self) -> bool:
        """Whether a token should wait for this bidder."""
        return self.up and self._misses < LIMITS.remote_misses

    def in_time(self) -> None:
        """It answered within its deadline."""
        self._misses = 0
        self.bidder.breaker.succeeded()

    def missed(self) -> None:
        """A token was decided without it."""
        self._misses += 1

    def faulty(self, fault: Fault) -> None:
        """It sent a malformed chunk; too many end the line."""
        self._stats.malformed.add(advertiser=self.bidder.advertiser, reason=fault.value)
        self._faults += 1
        if self._faults >= LIMITS.remote_faults:
            self._fail(f"{self._faults} malformed chunks, the last for {fault.value}")

    def open(self, turn: Turn) -> None:
        """Dial, unless the bidder is to be left alone for now."""
        if not self.bidder.breaker.allows():
            self._out()
            return
        self._dialled_at = time.monotonic()
        self._task = asyncio.get_running_loop().create_task(self._talk())
        self.say(turn)

    def say(self, turn: Turn) -> None:
        """Queue a turn; a bidder that does not read is out."""
        if self.up:
            try:
                self._turns.put_nowait(turn)
            except asyncio.QueueFull:
                self._fail("it does not read")

    def hang_up(self) -> None:
        """The reply is over: say so, and give the bidder a moment to end the stream."""
        if self.up:
            if not self.patient:
                self.bidder.breaker.failed(self._dialled_at)
            self.say(Turn(close=Close()))
            self.up = False
            if self._task is not None:
                asyncio.get_running_loop().call_later(_GOODBYE_S, self._task.cancel)

    def _fail(self, why: str) -> None:
        """The bidder's fault: out, and on its record."""
        if self.up:
            _LOG.warning("remote bidder %s is out: %s", self.bidder.advertiser, why)
            self._stats.unavailable.add(advertiser=self.bidder.advertiser)
            self.bidder.breaker.failed(self._dialled_at)
            self._out()

    def _out(self) -> None:
        self.up = False
        loop = asyncio.get_running_loop()
        loop.call_soon(self._broken)
        if self._task is not None:
            self._task.cancel()

    async def _talk(self) -> None:
        call = self.bidder.dial()
        writer = asyncio.create_task(self._write(call))
        self._stats.stream(1)
        why = "a fault of ours"
        try:
            while (raw := await call.read()) is not grpc.aio.EOF:
                self._hear(self, raw)
            why = "it ended the stream"
        except grpc.aio.AioRpcError as error:
            why = f"{error.code().name} {(error.details() or '')[:_DETAILS]!r}"
            if _too_large(error):
                self.faulty(Fault.TOO_LARGE)
        finally:
            self._stats.stream(-1)
            writer.cancel()
            call.cancel()
            self._fail(why)

    async def _write(self, call: grpc.aio.StreamStreamCall) -> None:
        """Turns in order. A stream that broke is the reader's to report."""
        with suppress(grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError):
            turn = Turn()
            while not turn.HasField("close"):
                turn = await self._turns.get()
                await call.write(turn)
            await call.done_writing()


def _too_large(error: grpc.aio.AioRpcError) -> bool:
    """Our own library's refusal of a message over the channel's limit."""
    exhausted = error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    return exhausted and "larger than max" in (error.details() or "")
