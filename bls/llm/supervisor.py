# SPDX-License-Identifier: Apache-2.0
"""Keeps one LLM worker process alive and speaks to it.

When the worker dies, every pending job is answered `worker_lost` (replies then replay), and a
new one is started at once; more than `RESTARTS` deaths within `WINDOW_S` mean the machine is
broken, and jobs are refused until the window has passed.
"""

from __future__ import annotations

import itertools
import mmap
import os
import socket
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bls.errors import SkynetError
from bls.llm.jobs import Job, Reply, Span
from bls.llm.stats import EngineStats
from bls.llm.wire import pack_job, receive_frame, send_frame
from bls.settings import REPOSITORY
from export.manifest import LLMManifest

RESTARTS = 5
WINDOW_S = 60.0
_READY_S = 120.0
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
    return SkynetError("worker_lost", "The model worker was lost.", 503)


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
        self._lock = threading.Lock()
        self._deaths: deque[float] = deque(maxlen=RESTARTS)
        self._ready = threading.Event()
        self._stopping = False
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the worker and wait until its model is loaded. Raises `worker_failed`."""
        self._spawn()
        if not self._ready.wait(_READY_S) or self._stopping:
            raise SkynetError("worker_failed", "The model worker did not start.", 500)

    def submit(self, job: Job) -> None:
        """Hand a job to the worker; its reply is called exactly once."""
        number = next(self._numbers)
        with self._lock:
            line = self._line
            if line is not None:
                self._pending[number] = job.reply
        if line is None:
            job.reply(worker_lost())
            return
        try:
            send_frame(line, pack_job(number, job))
        except OSError:
            self._answer(number, worker_lost())

    def stop(self) -> None:
        """End the worker."""
        self._stopping = True
        with self._lock:
            line, self._line = self._line, None
        if line is not None:
            line.shutdown(socket.SHUT_RDWR)
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
        options = self._options
        command = [options.python, "-m", "bls.llm.worker", "--model", str(options.model)]
        numbers = {
            "socket": theirs.fileno(),
            "logits": self._memory,
            "threads": options.threads,
            "rows": options.rows,
            "spin": int(options.spin),
        }
        for name, value in numbers.items():
            command += [f"--{name}", str(value)]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
        self._process = subprocess.Popen(
            command, pass_fds=(theirs.fileno(), self._memory), env=environment
        )
        theirs.close()
        with self._lock:
            self._line = ours
        threading.Thread(target=self._read, args=(ours,), name="llm-replies", daemon=True).start()

    def _read(self, line: socket.socket) -> None:
        """Deliver answers until the worker is gone, then see to a new one."""
        while (message := receive_frame(line)) is not None:
            kind = message[0]
            if kind == "span":
                self._answer(message[1], Span(message[2], message[3]))
            elif kind == "error":
                self._answer(message[1], SkynetError.from_wire(message[2]))
            elif kind == "stats":
                self.stats.take(self._finished, message[1])
            else:
                self._ready.set()
        self._worker_ended()
        line.close()

    def _answer(self, number: int, result: Span | SkynetError) -> None:
        with self._lock:
            reply = self._pending.pop(number, None)
        if reply is not None:
            reply(result)

    def _worker_ended(self) -> None:
        with self._lock:
            self._line = None
            orphans, self._pending = list(self._pending.values()), {}
        self._finished.take(EngineStats(), vars(self.stats))
        self._finished.rows_in_use = 0
        self._finished.restarts += 1
        if self._process is not None:
            self._process.wait()
        if not self._stopping:
            self._restart()
        for reply in orphans:
            reply(worker_lost())

    def _restart(self) -> None:
        now = time.monotonic()
        self._deaths.append(now)
        if not self._ready.is_set():
            self._stopping = True  # it never came up: say so to start()
            self._ready.set()
        elif len(self._deaths) == RESTARTS and now - self._deaths[0] < WINDOW_S:
            threading.Timer(WINDOW_S, self._spawn).start()
        else:
            self._spawn()
