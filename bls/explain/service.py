# SPDX-License-Identifier: Apache-2.0
"""Explanations for an asyncio program: a bounded queue in front of one worker process.

The worker starts with the first request and again after it died. Nobody waits for it but those
who asked; the program itself computes nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bls.errors import SkynetError
from bls.explain import errors
from bls.explain.line import WorkerLine
from bls.explain.options import ExplainOptions
from bls.explain.request import ExplainRequest
from bls.limits import LIMITS, Limits

Answer = dict[str, Any]


class ExplainService:
    """Belongs to one event loop.

    Attributes:
        waiting: requests accepted and not answered yet.
        starts: workers started so far.
    """

    def __init__(self, options: ExplainOptions, limits: Limits = LIMITS) -> None:
        self.waiting = 0
        self.starts = 0
        self._options = options
        self._limits = limits
        self._turn = asyncio.Lock()
        self._line: WorkerLine | None = None
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._refusal: tuple[float, SkynetError] | None = None

    @property
    def worker_pid(self) -> int | None:
        """The live worker's process id."""
        return self._line.process.pid if self._line else None

    async def explain(self, request: ExplainRequest) -> Answer:
        """The explanation, in turn.

        An asker who leaves does not stop the worker: the answer is dropped when it comes. Raises
        `explain_busy`, `explain_unavailable`, `explain_timeout`, `explain_lost`, or what the
        worker says of the request.
        """
        if self.waiting >= self._limits.explain_queue:
            raise errors.busy()
        self.waiting += 1
        task = asyncio.create_task(self._in_turn(request))
        self._tasks.add(task)
        task.add_done_callback(self._over)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():  # the service was closed, not the asker
                raise errors.lost() from None
            raise

    async def close(self) -> None:
        """End the worker; who still waits is told that the explanation is lost."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._end()

    def _over(self, task: asyncio.Task[Answer]) -> None:
        self.waiting -= 1
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be left to hear it

    async def _in_turn(self, request: ExplainRequest) -> Answer:
        async with self._turn:
            line = await self._ready()
            message = [request.context, request.ad]
            kind, *said = await self._talk(line, message, self._limits.explain_timeout_s)
        if kind != "done":
            raise SkynetError.from_wire(str(said[0]))
        answer: Answer = said[0]
        return answer

    async def _ready(self) -> WorkerLine:
        """The live worker, or a new one. After a failed start the reason is told for a while."""
        if self._line is not None and self._line.process.poll() is None:
            return self._line
        self._end()
        if self._refusal is not None and time.monotonic() < self._refusal[0]:
            raise self._refusal[1]
        try:
            return await self._start()
        except SkynetError as error:
            self._refusal = (time.monotonic() + self._limits.explain_pause_s, error)
            raise

    async def _start(self) -> WorkerLine:
        self.starts += 1
        try:
            line = self._line = await WorkerLine.open(self._options)
        except OSError:
            raise errors.unavailable("the worker cannot be started") from None
        kind, *said = await self._talk(line, None, self._limits.explain_start_s)
        if kind != "ready":
            self._end()
            raise SkynetError.from_wire(str(said[0]))
        return line

    async def _talk(self, line: WorkerLine, message: list[Any] | None, limit_s: float) -> list[Any]:
        """What the worker says, to `message` if there is one. A worker that fails is ended."""
        try:
            async with asyncio.timeout(limit_s):
                if message is not None:
                    await line.send(message)
                return await line.receive()
        except TimeoutError:
            self._end()
            raise errors.late() from None
        except (OSError, EOFError, ValueError):  # it hung up, or says what nobody understands
            self._end()
            raise errors.lost() from None
        except asyncio.CancelledError:
            self._end()
            raise

    def _end(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.end()
