# SPDX-License-Identifier: Apache-2.0
"""`llm_step`'s line to the worker, with the rows of remote bidders joined in.

A conversation without remote rows passes straight through. One with them is known to the worker
without them; its bidders are dialled here, and what they say joins the worker's rows
(`bls.remote.conversation`). All streams share one asyncio loop on one thread.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bls.contracts import PAD, REMOTE
from bls.errors import SkynetError, invalid
from bls.limits import LIMITS
from bls.llm.jobs import Again, Away, End, Job, Prefill, Reply, Span, Step, unpad
from bls.remote.bidder import Bidder
from bls.remote.conversation import Answer, Conversation
from bls.remote.stats import RemoteStats

_SWEEP_S = 10.0
_IDLE_S = LIMITS.slot_idle_s


class Worker(Protocol):
    """What holds the model: `bls.llm.supervisor.Supervisor`."""

    logits: NDArray[np.float32]

    def submit(self, job: Job) -> None: ...


class Exchange:
    """`prefill`, `step` and `end` come from one thread; every answer is given exactly once.

    Attributes:
        stats: totals of all remote bidders.
    """

    def __init__(self, worker: Worker, bidders: Sequence[Bidder]) -> None:
        self._worker = worker
        self._bidders = tuple(bidders)
        self._live: dict[int, Conversation] = {}
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="remote-bidders", daemon=True)
        self.stats = RemoteStats()

    def start(self) -> None:
        """Begin to serve remote rows; nothing is dialled before a reply needs it."""
        if self._bidders:
            self._thread.start()

    def stop(self) -> None:
        """Close every stream and end the thread."""
        for conv, conversation in list(self._live.items()):
            self._close(conv, conversation, _shutting_down())
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=10)
        elif not self._loop.is_closed():
            self._loop.close()

    def prefill(
        self,
        conv: int,
        salt: int,
        ids: NDArray[np.int32],
        answer: Answer,
        adapters: Sequence[int] = (),
    ) -> None:
        """Start a conversation: prompt rows [R, L], and the adapter of each, 0 for none; remote
        rows bring their own. Raises `SkynetError` before anything began."""
        local, numbers = split_rows(ids)
        prompts = unpad(local)
        ours = tuple(adapters[: len(prompts)])
        ours = ours if any(ours) else ()
        if not numbers:
            self._worker.submit(Prefill(conv, salt, prompts, self._plain(answer), ours))
            return
        if max(numbers) >= len(self._bidders):
            raise invalid("bad_prompt_rows", "A remote row names no bidder of the campaign file.")
        chosen = [self._bidders[number] for number in numbers]
        away = partial(self._worker.submit, Away(conv, lambda result: None))
        conversation = Conversation(chosen, len(prompts), self._loop, self.stats, away)
        with self._lock:
            if conv in self._live:
                raise invalid("conversation_exists", "This conversation is already live.")
            self._live[conv] = conversation
        conversation.open(prompts[0], answer)
        self._worker.submit(Prefill(conv, salt, prompts, self._joined(conv, conversation), ours))

    def step(self, conv: int, rows: int, token: int, answer: Answer) -> None:
        """Append `token` to every row of a conversation."""
        conversation = self._live.get(conv)
        if conversation is None:
            self._worker.submit(Step(conv, rows, token, self._plain(answer)))
            return
        if rows != conversation.rows:
            raise invalid("bad_step", "A step names every row of its conversation, once.")
        conversation.announce(token, answer)
        reply = self._joined(conv, conversation)
        self._worker.submit(Step(conv, conversation.local_rows, token, reply))

    def again(self, conv: int, index: int, answer: Answer) -> None:
        """The rows of token `index` once more, if it was the last."""
        conversation = self._live.get(conv)
        if conversation is None:
            self._worker.submit(Again(conv, index, self._plain(answer)))
        else:
            conversation.again(index, answer)

    def end(self, conv: int, answer: Answer) -> None:
        """Free a conversation; unknown ones are fine."""
        conversation = self._live.get(conv)
        if conversation is not None:
            self._close(conv, conversation, _cancelled())
        self._worker.submit(End(conv, self._plain(answer)))

    def _close(self, conv: int, conversation: Conversation, reason: SkynetError) -> None:
        with self._lock:
            if self._live.get(conv) is conversation:
                del self._live[conv]
        conversation.close(reason)

    def _plain(self, answer: Answer) -> Reply:
        def reply(result: Span | SkynetError) -> None:
            answer(result if isinstance(result, SkynetError) else self._logits(result))

        return reply

    def _joined(self, conv: int, conversation: Conversation) -> Reply:
        def reply(result: Span | SkynetError) -> None:
            if isinstance(result, SkynetError):
                self._close(conv, conversation, result)
            else:
                conversation.local(self._logits(result))

        return reply

    def _logits(self, span: Span) -> NDArray[np.float32]:
        return self._worker.logits[span.start : span.start + span.rows]

    # -- the loop -----------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        sweeper = self._loop.create_task(self._sweep())
        self._loop.run_forever()
        sweeper.cancel()
        self._loop.run_until_complete(self._shut())
        self._loop.close()

    async def _sweep(self) -> None:
        """Close conversations that nobody touched for long: their owner is gone."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            oldest = time.monotonic() - _IDLE_S
            for conv, conversation in list(self._live.items()):
                if conversation.touched_at < oldest:
                    self._close(conv, conversation, _cancelled())

    async def _shut(self) -> None:
        for bidder in self._bidders:
            await bidder.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def _cancelled() -> SkynetError:
    return SkynetError("cancelled", "The reply was cancelled.", 499)


def _shutting_down() -> SkynetError:
    return SkynetError("shutting_down", "The server is shutting down.", 503)


def split_rows(ids: NDArray[np.int32]) -> tuple[NDArray[np.int32], tuple[int, ...]]:
    """Local prompt rows and the numbers of the remote bidders, of `IDS` [R, L].

    Raises `bad_prompt_rows` unless row 0 is local and the remote rows are last, different, and
    nothing but padded.
    """
    remote = ids[:, 0] <= REMOTE
    first = int(remote.argmax()) if remote.any() else len(ids)
    numbers = REMOTE - ids[first:, 0]
    distinct = len(np.unique(numbers)) == len(numbers)
    if first == 0 or not remote[first:].all() or not distinct or (ids[first:, 1:] != PAD).any():
        raise invalid("bad_prompt_rows", "Remote rows come last, once each, and hold no tokens.")
    return ids[:first], tuple(numbers.tolist())
