# SPDX-License-Identifier: Apache-2.0
"""The process that holds the model and the KV cache: `python -m bls.llm.worker`.

It stands apart from the server so that a lost device or a crash costs a restart of this process
only; replies are rebuilt in it by replay. Started by `bls.llm.supervisor` with two inherited
descriptors: a socket for frames and the shared memory of the logits.
"""

from __future__ import annotations

import argparse
import dataclasses
import mmap
import queue
import select
import socket
import threading
from pathlib import Path

import numpy as np

from bls.errors import SkynetError
from bls.limits import LIMITS, Limits
from bls.llm.engine import Engine
from bls.llm.jobs import Job, Loaded, Reply, Span
from bls.llm.session import LLMSession, SessionOptions
from bls.llm.wire import receive_frame, send_frame, unpack_job
from bls.workers.spawn import die_with_parent
from export.manifest import LLMManifest

_STATS_PERIOD_S = 0.5


class Worker:
    """Jobs from the socket into the engine, answers back.

    It is the engine's inbox: the engine's thread reads the socket itself, which saves a hop
    between threads for every token.
    """

    def __init__(self, line: socket.socket, session: LLMSession, limits: Limits) -> None:
        self._line = line
        self._engine = Engine(session, limits, self)
        self._sending = threading.Lock()
        self._done = threading.Event()
        self._poll = select.poll()
        self._poll.register(line, select.POLLIN | select.POLLHUP)

    def run(self) -> None:
        """Serve until the other side is gone."""
        reporter = threading.Thread(target=self._report, name="stats", daemon=True)
        reporter.start()
        self._send(["ready"])
        self._engine.run()
        self._done.set()

    def get(self, block: bool = True, timeout: float | None = None) -> Job | None:
        """The next job; None when the supervisor is gone. Raises `queue.Empty` after `timeout`."""
        if not self._poll.poll(None if timeout is None else timeout * 1e3):
            raise queue.Empty
        message = receive_frame(self._line)
        return None if message is None else unpack_job(message, self._reply_to(message[0]))

    def get_nowait(self) -> Job | None:
        return self.get(timeout=0)

    def put(self, job: Job | None) -> None:
        """Nobody but the supervisor hands in jobs."""
        raise RuntimeError("a worker's jobs come from its socket")

    def empty(self) -> bool:
        """Nothing to drain: what is left in the socket dies with it."""
        return True

    def _reply_to(self, number: int) -> Reply:
        def reply(result: Span | SkynetError) -> None:
            if isinstance(result, Loaded):
                self._send(["loaded", number, result.sha256, result.seconds])
            elif isinstance(result, Span):
                self._send(["span", number, result.start, result.rows])
            else:
                self._send(["error", number, result.to_wire()])

        return reply

    def _report(self) -> None:
        while not self._done.wait(_STATS_PERIOD_S):
            self._send(["stats", dataclasses.asdict(self._engine.stats)])

    def _send(self, message: list[object]) -> None:
        try:
            with self._sending:
                send_frame(self._line, message)
        except OSError:
            self._done.set()  # the supervisor is gone; run() sees the same


def main() -> None:
    """Parse the descriptors and options, load the model, serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("socket", "logits", "threads", "rows", "spin"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--model", type=Path, required=True)
    args = parser.parse_args()
    die_with_parent()
    vocab = LLMManifest.load(args.model, verify=False).vocab
    memory = mmap.mmap(args.logits, args.rows * vocab * 4)
    logits = np.frombuffer(memory, np.float32).reshape(args.rows, vocab)
    options = SessionOptions(args.threads, args.rows, bool(args.spin))
    session = LLMSession(args.model, options, logits)
    limits = dataclasses.replace(LIMITS, kv_rows=args.rows)
    Worker(socket.socket(fileno=args.socket), session, limits).run()


if __name__ == "__main__":
    main()
