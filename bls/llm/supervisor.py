# SPDX-License-Identifier: Apache-2.0
"""Keeps one LLM worker process alive and speaks to it.

When the worker dies, every pending job is answered `worker_lost` (replies then replay), and a
new one is started at once; after too many deaths (`bls.workers.storm`) jobs are refused for a
while.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import mmap
import os
import socket
import subprocess
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bls.errors import SkynetError
from bls.llm.adapter_bank import ADAPTER_SLOTS
from bls.llm.jobs import Job, Load, Loaded, Reply, Span
from bls.llm.stats import EngineStats
from bls.llm.wire import pack_job, receive_frame, send_frame
from bls.workers.spawn import spawn
from bls.workers.storm import Storm
from export.manifest import LLMManifest

_LOG = logging.getLogger(__name__)
_READY_S = 120.0
_LOST = "worker_lost"
_SOCKET_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class WorkerOptions:
    """How the worker is started. `rows`: KV rows; `python`: interpreter with our packages."""

    python: str
    model: Path
    threads: int
    rows: int
    spin: bool


def worker_lost() -> SkynetError:
    """The KV cache is gone; the reply can be replayed."""
    return SkynetError(_LOST, "The model worker was lost.", 503)


class Supervisor:
    """`submit` jobs from any thread; replies come on the reader's thread.

    Attributes:
        logits: f32 [rows, V], shared with the worker; a reply's `Span` names its rows.
        stats: the worker's totals, kept over restarts.
    """

    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        vocab = LLMManifest.load(options.model).vocab
        size = options.rows * vocab * 4
        self._memory = os.memfd_create("skynet-logits", os.MFD_CLOEXEC)
        os.ftruncate(self._memory, size)
        shared = mmap.mmap(self._memory, size)
        self.logits: NDArray[np.float32] = np.frombuffer(shared, np.float32).reshape(-1, vocab)
        self.stats = EngineStats()
        self._finished = EngineStats()
        self._numbers = itertools.count()
        self._pending: dict[int, Reply] = {}
        self._adapters: OrderedDict[int, Load] = OrderedDict()  # what a new worker begins with
        self._gone: set[int] = set()  # adapters that a new worker could not load
        self._lock = threading.Lock()
        self._sending = threading.Lock()  # frames of several threads must not mix
        self._storm = Storm()
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name="llm-replies", daemon=True)

    def start(self) -> None:
        """Start the worker and wait until its model is loaded. Raises `worker_failed`."""
        self._spawn()
        started = self._line is not None
        self._thread.start()
        if not started or not self._ready.wait(_READY_S) or self._stopping.is_set():
            self.stop()
            raise SkynetError("worker_failed", "The model worker did not start.", 500)

    def submit(self, job: Job) -> None:
        """Hand a job to the worker; its reply is called exactly once."""
        number = next(self._numbers)
        if isinstance(job, Load):
            job = replace(job, reply=partial(self._loaded, job))
        with self._lock:
            line = self._line
            if line is not None:
                self._pending[number] = job.reply
        if line is None:
            job.reply(worker_lost())
            return
        try:
            with self._sending:
                send_frame(line, pack_job(number, job))
        except OSError:
            self._answer(number, worker_lost())

    def gone_adapters(self) -> set[int]:
        """Adapters that were loaded and that a new worker could not load; each is told once."""
        with self._lock:
            gone, self._gone = self._gone, set()
        return gone

    def undelivered(self) -> None:
        """Log and count an answer that could not be delivered; to be called while handling why."""
        _LOG.exception("an answer could not be delivered")
        self._finished.failures += 1

    def stop(self) -> None:
        """End the worker; every job has its answer when this returns."""
        self._stopping.set()
        with self._lock:
            line, self._line = self._line, None
            process = self._process
        if line is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        if process is not None:
            process.kill()
            process.wait()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _spawn(self) -> None:
        """Start a worker, unless we are stopping.

        Called on threads that live as long as we do: the kernel kills a worker when the thread
        that started it ends (PR_SET_PDEATHSIG).
        """
        options = self._options
        told = {
            "model": options.model,
            "logits": self._memory,
            "threads": options.threads,
            "rows": options.rows,
            "spin": int(options.spin),
        }
        with self._lock:
            if self._stopping.is_set():
                return
            try:
                self._process, line = spawn(
                    options.python,
                    "bls.llm.worker",
                    told,
                    descriptors=(self._memory,),
                    buffer_bytes=_SOCKET_BYTES,
                )
            except OSError:  # no such interpreter, no memory: jobs are refused
                return
            for load in self._adapters.values():
                number = next(self._numbers)
                self._pending[number] = partial(self._reloaded, load.adapter)
                with contextlib.suppress(OSError):  # it is gone already: that is seen in `_watch`
                    send_frame(line, pack_job(number, load))
            self._line = line

    def _loaded(self, load: Load, result: Span | SkynetError) -> None:
        """An adapter that a worker holds is what the next worker is given first, before any job:
        a replayed reply finds it there."""
        if isinstance(result, Loaded):
            with self._lock:
                self._adapters[load.adapter] = load
                self._adapters.move_to_end(load.adapter)
                while len(self._adapters) > ADAPTER_SLOTS:
                    self._adapters.popitem(last=False)
        load.reply(result)

    def _reloaded(self, adapter: int, result: Span | SkynetError) -> None:
        """A new worker holds it again, or cannot: then nobody is told that it does."""
        if isinstance(result, SkynetError) and result.code != _LOST:
            with self._lock:
                self._adapters.pop(adapter, None)
                self._gone.add(adapter)

    def _watch(self) -> None:
        """Deliver answers; when the worker is gone, fail its jobs and see to a new one."""
        while (line := self._line) is not None:
            with line:
                self._deliver(line)
                orphans = self._bury()
            pause = self._pause()
            if not pause:
                self._spawn()
            for reply in orphans:
                self._tell(reply, worker_lost())
            if pause and not self._stopping.wait(pause):
                self._spawn()
        for reply in self._bury():  # handed in while we were being stopped
            self._tell(reply, worker_lost())

    def _deliver(self, line: socket.socket) -> None:
        """Hand out what the worker says until it is gone, or says what nobody understands."""
        with contextlib.suppress(ValueError):
            while (message := receive_frame(line)) is not None:
                kind = message[0]
                if kind == "span":
                    self._answer(message[1], Span(message[2], message[3]))
                elif kind == "loaded":
                    self._answer(message[1], Loaded(0, 0, message[2], message[3]))
                elif kind == "error":
                    self._answer(message[1], SkynetError.from_wire(message[2]))
                elif kind == "stats":
                    self.stats.take(self._finished, message[1])
                else:
                    self._ready.set()

    def _answer(self, number: int, result: Span | SkynetError) -> None:
        with self._lock:
            reply = self._pending.pop(number, None)
        if reply is not None:
            self._tell(reply, result)

    def _tell(self, reply: Reply, result: Span | SkynetError) -> None:
        """One asker who cannot be answered must not keep the others waiting."""
        try:
            reply(result)
        except Exception:
            self.undelivered()

    def _bury(self) -> list[Reply]:
        """Forget the worker; returns the jobs that it owes."""
        with self._lock:
            self._line = None
            process = self._process
            orphans, self._pending = list(self._pending.values()), {}
        if process is not None:
            process.kill()  # it may have hung up without ending
            process.wait()
        self._finished.take(EngineStats(), vars(self.stats))
        self._finished.rows_in_use = 0
        self._finished.restarts += not self._stopping.is_set()
        self.stats.take(EngineStats(), vars(self._finished))
        return orphans

    def _pause(self) -> float:
        """Seconds to wait before the next worker; ends everything if the first never came up."""
        if not self._ready.is_set():
            self._stopping.set()
            self._ready.set()
        return self._storm.death()
