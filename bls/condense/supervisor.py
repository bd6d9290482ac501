# SPDX-License-Identifier: Apache-2.0
"""Keeps one summariser worker alive (CG-C-04): one that died is replaced at once.

While there is none, asking fails at once with `worker_lost`: a reply goes on with its tail rather
than wait. One that is slow is left alone: whoever asked goes on without an answer, and a late one
is dropped by its number. Only a worker that has owed an answer for `hang_s` is killed and replaced.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bls.condense.stats import WorkerStats
from bls.errors import SkynetError
from bls.keys.live import Log
from bls.limits import LIMITS
from bls.llm.wire import receive_frame, send_frame
from bls.workers.spawn import spawn
from bls.workers.storm import Storm

RESTARTED = "condense.restart"
_READY_S = 60.0
_REFUSED_PAUSE_S = 5.0
HANG_S = 8.0
"""Far beyond what a batch of windows takes on a crowded machine."""


@dataclass(frozen=True)
class WorkerOptions:
    """`python`: interpreter with our packages; `model`: folder of the summariser's version.
    `timeout_s`: how long an answer is waited for; `hang_s`: how long one may be owed."""

    python: str
    model: Path
    timeout_s: float = LIMITS.condense_timeout_s
    hang_s: float = HANG_S


def worker_lost() -> SkynetError:
    """There is no worker now; the next request may find one."""
    return SkynetError("worker_lost", "The summariser is being restarted.", 503)


def worker_late() -> SkynetError:
    """The worker is there, and still at work when nobody can wait for it."""
    return SkynetError("worker_late", "The summariser did not answer in time.", 503)


class Supervisor:
    """Ask from any thread; one request at a time is under way.

    Attributes:
        refusal: why the last worker could not load its model; None when it could.
    """

    def __init__(self, options: WorkerOptions, log: Log) -> None:
        self.stats = WorkerStats()
        self.refusal: SkynetError | None = None
        self._options, self._log = options, log
        self._asking = threading.Lock()
        self._changing = threading.Lock()
        self._answered = threading.Condition()
        self._asked, self._asked_at = 0, 0.0  # the newest request; none is sent before its answer
        self._answer: tuple[int, str, Any] = (0, "", None)  # the newest one, and whose it is
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._told = threading.Event()
        self._stopping = threading.Event()
        self._storm = Storm()
        self._died = 0.0
        self._thread = threading.Thread(target=self._keep, name="summariser", daemon=True)

    @property
    def pid(self) -> int | None:
        """Of the worker that answers now."""
        return self._process.pid if self._process and self._line else None

    def start(self, wait_s: float = _READY_S) -> bool:
        """Whether the worker was ready within `wait_s`; it is tried again for ever."""
        self._thread.start()
        return self._told.wait(wait_s) and self._line is not None

    def __call__(self, windows: list[list[int]]) -> list[list[int]]:
        """Summaries of windows. Raises `worker_lost`, `worker_late`, or what the worker says of the
        request."""
        with self._asking:
            line = self._line
            try:
                kind, said = self._ask(line, windows)
            except TimeoutError:
                self.stats.late += len(windows)
                if time.monotonic() - self._asked_at >= self._options.hang_s:
                    self._end(line)
                raise worker_late() from None
            except OSError:
                self._end(line)
                self._forget()
                self.stats.refused += len(windows)
                raise self.refusal or worker_lost() from None
        if kind != "done":
            raise SkynetError.from_wire(str(said))
        summaries: list[list[int]] = said
        return summaries

    def stop(self) -> None:
        """No process is left when this returns."""
        self._stopping.set()
        self._end(self._line)
        with self._changing:
            if self._process is not None:
                self._process.kill()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _ask(self, line: socket.socket | None, windows: list[list[int]]) -> tuple[str, Any]:
        if line is None:
            raise OSError
        deadline = time.monotonic() + self._options.timeout_s
        self._wait(line, deadline)  # for what the last asker would not wait for
        self._asked, self._asked_at = self._asked + 1, time.monotonic()
        send_frame(line, [self._asked, windows])
        return self._wait(line, deadline)

    def _wait(self, line: socket.socket, deadline: float) -> tuple[str, Any]:
        """The answer to the newest request. Raises `TimeoutError`; `OSError` without a worker."""
        with self._answered:
            while self._answer[0] < self._asked:
                if not self._answered.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
            if self._line is not line:
                raise OSError
            return self._answer[1:]

    def _deliver(self, line: socket.socket) -> None:
        """Take what the worker says until it is gone, or says what nobody understands."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            line.settimeout(None)
            while (message := receive_frame(line)) is not None:
                kind, number, said = message
                with self._answered:
                    self._answer = number, kind, said
                    self._answered.notify_all()

    def _forget(self) -> None:
        """Nothing is owed by a worker that is gone."""
        with self._answered:
            self._answer = self._asked, "", None
            self._answered.notify_all()

    def _end(self, line: socket.socket | None) -> None:
        """The worker on that line answers nobody any more; who keeps it sees it end."""
        with self._changing:
            if line is None or line is not self._line:
                return
            self._line = None
            if self._process is not None:
                self._process.kill()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            pause = self._one_life()
            if self._stopping.is_set():
                return
            self.stats.restarts += 1
            self._stopping.wait(pause)

    def _one_life(self) -> float:
        """Start a worker and wait for its end; seconds until the next one."""
        with self._changing:
            if self._stopping.is_set():
                return 0.0
            try:
                self._process, line = spawn(
                    self._options.python,
                    "bls.condense.worker",
                    {"model": self._options.model},
                    environment={"OMP_NUM_THREADS": "1"},
                )
            except OSError:  # no such interpreter, no memory
                self._told.set()
                return _REFUSED_PAUSE_S
            process = self._process
        with line:
            ready = self._ready(line)
            if ready:
                with self._changing:
                    self._line = line
            self._told.set()
            if ready and self.stats.restarts:
                self._log.write(
                    RESTARTED,
                    restarts=self.stats.restarts,
                    away_s=round(time.monotonic() - self._died, 3),
                )
            if ready:
                self._deliver(line)
            process.kill()  # it may have hung up without ending
            process.wait()
            self._died = time.monotonic()
            with self._changing:
                self._line = None
            self._forget()
        return self._storm.death() if ready else _REFUSED_PAUSE_S

    def _ready(self, line: socket.socket) -> bool:
        """Whether the worker has its model."""
        line.settimeout(_READY_S)
        with contextlib.suppress(OSError, ValueError):
            message = receive_frame(line)
            if message is not None and message[0] == "ready":
                self.refusal = None
                return True
            self.refusal = SkynetError.from_wire(str(message[1])) if message else None
        return False
