# SPDX-License-Identifier: Apache-2.0
"""Continuous batching: one thread that owns the model and every row.

Each turn of the loop runs one decode batch over the rows of all conversations that wait for a
token, then at most one chunk of one prompt. So nobody's next token waits longer than a decode
batch and a chunk, and prompts still move when everybody is decoding. A decode batch waits, at most
`gather_s`, for conversations that just got a token and are about to ask for the next, because two
half batches read the weights twice.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from bls.errors import SkynetError, capacity, internal
from bls.limits import LIMITS, Limits
from bls.llm.adapter_bank import AdapterBank, unsupported
from bls.llm.admission import (
    UNKNOWN_ADAPTER,
    Bounds,
    refuse_again,
    refuse_prefill,
    refuse_step,
    unknown_adapter,
)
from bls.llm.jobs import (
    NOTHING,
    Again,
    Away,
    Conversation,
    End,
    Job,
    Load,
    Loaded,
    Prefill,
    Step,
    neighbours,
    slots_of,
)
from bls.llm.kv_cache import KVCache, RowAllocator
from bls.llm.prefill import PrefillTask
from bls.llm.prefix_store import PrefixStore
from bls.llm.session import LLMSession
from bls.llm.stats import EngineStats
from export.errors import ExportError

_LOG = logging.getLogger(__name__)
_IDLE_WAIT_S = 1.0
_ROWS_WAIT_S = 0.01
_PREFILL_WAIT_S = 120.0


class Inbox(Protocol):
    """Where jobs come from; None ends the engine. `get` and `get_nowait` raise `queue.Empty`."""

    def get(self, block: bool = True, timeout: float | None = None) -> Job | None: ...

    def get_nowait(self) -> Job | None: ...

    def put(self, job: Job | None) -> None: ...

    def empty(self) -> bool: ...


class Engine:
    """Jobs in, logits out (in `session.logits`).

    `submit` may be called from any thread; replies come on the engine's.
    """

    def __init__(
        self, session: LLMSession, limits: Limits = LIMITS, inbox: Inbox | None = None
    ) -> None:
        manifest = session.manifest
        if len(session.logits) != limits.kv_rows:
            raise ValueError(f"expected {limits.kv_rows} logit rows, got {len(session.logits)}")
        self._session = session
        self._bank = session.bank
        self._bounds = Bounds(
            manifest.vocab, limits.kv_rows, limits.row_tokens, limits.prefill_queue
        )
        self._limits = limits
        self._cache = KVCache(manifest, limits.kv_rows, limits.row_tokens)
        self._rows = RowAllocator(limits.kv_rows)
        prefix_length = limits.prefix_tokens + 32
        self._prefixes = PrefixStore(
            manifest, limits.prefix_slots, prefix_length, limits.prefix_idle_s
        )
        self._inbox: Inbox = queue.SimpleQueue() if inbox is None else inbox
        self._live: dict[int, Conversation] = {}
        self._steps: dict[int, Step] = {}
        self._again: dict[int, Again] = {}
        self._expected: set[int] = set()
        self._waiting: deque[tuple[Prefill, float]] = deque()
        self._task: PrefillTask | None = None
        self._gather_until: float | None = None
        self.stats = EngineStats()
        self._thread = threading.Thread(target=self.run, name="llm-engine", daemon=True)
        self._stopped = False

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job; its `reply` is called exactly once, whatever happens."""
        self._inbox.put(job)

    def stop(self) -> None:
        """Fail what is pending and end the thread."""
        self._inbox.put(None)
        self._thread.join(timeout=30)

    # -- the loop ---------------------------------------------------------------------------

    def run(self) -> None:
        """The loop itself; `start` gives it a thread of its own."""
        while not self._stopped:
            self._receive()
            self._expire()
            if self._steps and self._batch_ready():
                self._decode()
            if not self._steps or self._gather_until is None:
                self._prefill()
        self._fail_everything()

    def _receive(self) -> None:
        """Take all jobs that are there; wait for one only when there is nothing else to do."""
        wait = self._patience()
        try:
            self._accept(self._inbox.get(True, wait) if wait else self._inbox.get_nowait())
            while True:
                self._accept(self._inbox.get_nowait())
        except queue.Empty:
            return

    def _patience(self) -> float:
        """Seconds the loop may sleep for a new job before it has something else to do."""
        if self._steps:
            if self._gather_until is None:
                return 0.0
            return max(0.0, self._gather_until - time.monotonic())
        if self._task is not None:
            return 0.0
        return _ROWS_WAIT_S if self._waiting else _IDLE_WAIT_S

    def _accept(self, job: Job | None) -> None:
        if job is None:
            self._stopped = True
        elif isinstance(job, Step):
            self._accept_step(job)
        elif isinstance(job, Prefill):
            self._accept_prefill(job)
        elif isinstance(job, Again):
            self._say_again(job)
        elif isinstance(job, Away):
            self._expected.discard(job.conv)
            job.reply(NOTHING)
        elif isinstance(job, Load):
            self._load(job)
        else:
            self._end(job)

    def _accept_step(self, job: Step) -> None:
        conversation = self._live.get(job.conv)
        refusal = refuse_step(job, conversation, job.conv in self._steps, self._bounds)
        if refusal is not None:
            job.reply(refusal)
        else:
            self._steps[job.conv] = job

    def _say_again(self, job: Again) -> None:
        """The last logits lie in the session's memory until the conversation's next job.

        While that job is under way, its logits are waited for.
        """
        if job.conv not in self._again and self._under_way(job.conv):
            self._again[job.conv] = job
            return
        conversation = self._live.get(job.conv)
        refusal = refuse_again(job, conversation, job.conv in self._steps)
        if refusal is not None:
            job.reply(refusal)
        elif conversation is not None:
            job.reply(conversation.span)

    def _under_way(self, conv: int) -> bool:
        conversation = self._live.get(conv)
        prefilling = conversation is not None and not conversation.decoding
        waiting = any(prompt.conv == conv for prompt, _ in self._waiting)
        return conv in self._steps or prefilling or waiting

    def _done(self, conversation: Conversation, job: Step | Prefill) -> None:
        """Answer a job that succeeded, and whoever asked for its logits again meanwhile."""
        job.reply(conversation.span)
        again = self._again.pop(conversation.conv, None)
        if again is not None:
            self._say_again(again)

    def _accept_prefill(self, job: Prefill) -> None:
        known = job.conv in self._live or any(job.conv == other.conv for other, _ in self._waiting)
        refusal = refuse_prefill(job, known, len(self._waiting), self._bounds, self._bank)
        if refusal is not None:
            self.stats.adapters_missing += refusal.code == UNKNOWN_ADAPTER
            job.reply(refusal)
        else:
            self._waiting.append((job, time.monotonic() + _PREFILL_WAIT_S))

    # -- decode -----------------------------------------------------------------------------

    def _batch_ready(self) -> bool:
        """True once every conversation about to ask has asked, or the wait is over."""
        missing = self._expected - self._steps.keys()
        if not missing:
            return True
        now = time.monotonic()
        if self._gather_until is None:
            self._gather_until = now + self._limits.gather_s
        if now < self._gather_until:
            return False
        self._expected -= missing
        return True

    def _decode(self) -> None:
        self._gather_until = None
        steps, self._steps = self._steps, {}
        batch = sorted((self._live[conv] for conv in steps), key=lambda c: c.start)
        self.stats.batches += 1
        for run in neighbours(batch):
            try:
                self._decode_run(run, steps)
            except Exception:  # a failed batch must not end other replies' engine
                _LOG.exception("a decode batch failed")
                self.stats.failures += 1
                for conversation in run:
                    self._release(conversation)
                    steps[conversation.conv].reply(internal())

    def _decode_run(self, run: list[Conversation], steps: dict[int, Step]) -> None:
        began = time.perf_counter()
        tokens = [steps[c.conv].token for c in run for _ in range(c.rows)]
        past = [filled for c in run for filled in c.filled]
        self._session.decode(
            self._cache,
            run[0].start,
            np.array(tokens, np.int64),
            np.array(past, np.int32),
            slots_of(run),
        )
        self.stats.decoded(len(tokens), time.perf_counter() - began)
        now = time.monotonic()
        for conversation in run:
            conversation.filled = [n + 1 for n in conversation.filled]
            conversation.touched_at = now
            conversation.steps += 1
            self._expected.add(conversation.conv)
            self._done(conversation, steps[conversation.conv])

    # -- prefill ----------------------------------------------------------------------------

    def _prefill(self) -> None:
        """Start the next prompt if none is under way, and run one chunk."""
        if self._task is None:
            self._task = self._next_task()
        if self._task is None:
            return
        task = self._task
        began = time.perf_counter()
        try:
            tokens = task.advance(self._chunk())
        except Exception:  # as in _decode: contained, counted, reported to its caller
            _LOG.exception("a prompt failed")
            self.stats.failures += 1
            self._task = None
            self._release(task.conversation)
            task.job.reply(internal())
            return
        self.stats.prefilled(tokens, time.perf_counter() - began)
        if task.done:
            self._task = None
            task.conversation.decoding = True
            task.conversation.touched_at = time.monotonic()
            self._expected.add(task.job.conv)
            self._done(task.conversation, task.job)

    def _chunk(self) -> int:
        others = any(conversation.decoding for conversation in self._live.values())
        return self._limits.prefill_chunk_busy if others else self._limits.prefill_chunk_alone

    def _next_task(self) -> PrefillTask | None:
        """The first prompt that can begin. One whose adapter is being loaded, as in a new worker,
        waits for it and is passed over meanwhile; one that lacks rows is not."""
        for job, deadline in list(self._waiting):
            if self._bank is not None and job.adapters and not self._bank.ready(job.adapters):
                if not self._bank.knows(job.adapters):
                    self.stats.adapters_missing += 1
                    self._turn_away(job, unknown_adapter(job.adapters, self._bank))
                elif time.monotonic() > deadline:
                    self._turn_away(job, capacity("replies"))
                continue
            start = self._rows.allocate(len(job.rows))
            if start is None:
                if time.monotonic() > deadline:
                    self._turn_away(job, capacity("replies"))
                    continue
                return None
            self._forget(job)
            conversation = Conversation(
                job.conv, job.salt, job.rows, start, time.monotonic(), [0] * len(job.rows)
            )
            if self._bank is not None and any(job.adapters):
                conversation.adapters = job.adapters
                conversation.slots = self._bank.take(job.adapters)
            self._live[job.conv] = conversation
            self.stats.rows_in_use = self._rows.in_use
            task = PrefillTask(
                job, conversation, self._session, self._cache, self._limits.prefill_chunk_min
            )
            self.stats.reused_tokens += task.reuse(self._prefixes)
            return task
        return None

    def _forget(self, job: Prefill) -> None:
        """It waits no longer."""
        self._waiting = deque(one for one in self._waiting if one[0] is not job)

    def _turn_away(self, job: Prefill, refusal: SkynetError) -> None:
        """Refuse a prompt that waits, and whoever asked for its logits again."""
        self._forget(job)
        job.reply(refusal)
        self._drop_again(job.conv)

    # -- adapters ---------------------------------------------------------------------------

    def _load(self, job: Load) -> None:
        """A slot is taken now, its memory written beside the loop: no step waits for it."""
        if self._bank is None:
            job.reply(unsupported())
            return
        try:
            self._bank.claim(job.adapter)
        except SkynetError as error:
            job.reply(error)
            return
        load = partial(self._fill, self._bank, job)
        threading.Thread(target=load, name="adapter-load", daemon=True).start()

    def _fill(self, bank: AdapterBank, job: Load) -> None:
        began = time.perf_counter()
        try:
            sha256 = bank.load(job.adapter, Path(job.folder), job.sha256)
        except ExportError as fault:
            job.reply(SkynetError(fault.code, "The adapter cannot be used.", 409))
        except Exception:
            _LOG.exception("an adapter could not be loaded")
            job.reply(internal())
        else:
            job.reply(Loaded(0, 0, sha256, time.perf_counter() - began))

    # -- the end of a conversation ------------------------------------------------------------

    def _end(self, job: End) -> None:
        conversation = self._live.get(job.conv)
        if conversation is not None:
            self._abort(conversation)
            if conversation.decoding:
                self._prefixes.save(
                    conversation.salt,
                    conversation.prompts[0],
                    self._cache,
                    conversation.start,
                )
            self._release(conversation)
        else:
            self._drop_waiting(job.conv)
        job.reply(NOTHING)

    def _abort(self, conversation: Conversation) -> None:
        """Answer whatever of this conversation is still pending."""
        gone = SkynetError("cancelled", "The reply was cancelled.", 499)
        step = self._steps.pop(conversation.conv, None)
        if step is not None:
            step.reply(gone)
        if self._task is not None and self._task.conversation is conversation:
            self._task.job.reply(gone)
            self._task = None

    def _drop_waiting(self, conv: int) -> None:
        kept: deque[tuple[Prefill, float]] = deque()
        for job, deadline in self._waiting:
            if job.conv == conv:
                job.reply(SkynetError("cancelled", "The reply was cancelled.", 499))
            else:
                kept.append((job, deadline))
        self._waiting = kept
        self._drop_again(conv)

    def _release(self, conversation: Conversation) -> None:
        del self._live[conversation.conv]
        self._expected.discard(conversation.conv)
        self._rows.free(conversation.start)
        if self._bank is not None:
            self._bank.give(conversation.adapters)
        self.stats.rows_in_use = self._rows.in_use
        self._drop_again(conversation.conv)

    def _drop_again(self, conv: int) -> None:
        again = self._again.pop(conv, None)
        if again is not None:
            self._say_again(again)  # refused: the conversation is gone

    def _expire(self) -> None:
        """Free conversations nobody touched for `slot_idle_s`: their owner is gone."""
        deadline = time.monotonic() - self._limits.slot_idle_s
        for conversation in list(self._live.values()):
            if conversation.decoding and conversation.touched_at < deadline:
                self._abort(conversation)
                self._release(conversation)
                self.stats.idle_freed += 1

    def _fail_everything(self) -> None:
        gone = SkynetError("shutting_down", "The server is shutting down.", 503)
        for conversation in list(self._live.values()):
            self._abort(conversation)
            self._release(conversation)
        for job, _ in self._waiting:
            job.reply(gone)
        self._waiting.clear()
        for again in self._again.values():
            again.reply(gone)
        while not self._inbox.empty():
            late = self._inbox.get_nowait()
            if late is not None:
                late.reply(gone)
