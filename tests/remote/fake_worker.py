# SPDX-License-Identifier: Apache-2.0
"""A worker whose rows are ready exactly when a test says, and a client of the exchange."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bls.contracts import PAD, REMOTE
from bls.errors import SkynetError
from bls.llm.jobs import NOTHING, Again, Away, End, Job, Span, Step
from bls.remote.bidder import Bidder
from bls.remote.endpoint import RemoteEndpoint
from bls.remote.exchange import Exchange
from bls.remote.vocabulary import Vocabulary

V = 64
OURS = Vocabulary(V, bytes(range(32)))
PROMPT = (3, 4, 5)


@dataclass
class FakeWorker:
    """Row r of every answer is r + 1 everywhere. `delay_s` is how long a job takes; `fault`, when
    set, is the answer."""

    delay_s: float = 0.0
    fault: SkynetError | None = None
    jobs: list[Job] = field(default_factory=list)
    rows: int = 0
    logits: NDArray[np.float32] = field(
        default_factory=lambda: np.repeat(np.arange(1, 9, dtype=np.float32)[:, None], V, axis=1)
    )

    def submit(self, job: Job) -> None:
        self.jobs.append(job)
        if isinstance(job, End | Away):
            job.reply(NOTHING)
        elif self.fault is not None:
            job.reply(self.fault)
        else:
            rows = self.rows if isinstance(job, Again) else job.rows
            rows = len(rows) if isinstance(rows, tuple) else rows
            self.rows = rows
            threading.Timer(self.delay_s, job.reply, (Span(0, rows),)).start()

    @property
    def steps(self) -> list[Step]:
        return [job for job in self.jobs if isinstance(job, Step)]


class Client:
    """Blocking calls on an exchange, as `decode_step` makes them."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.seconds = 0.0

    def prefill(self, conv: int, *remotes: int, local: int = 1) -> NDArray[np.float32]:
        ids = np.full((local + len(remotes), len(PROMPT)), PAD, np.int32)
        ids[:local] = PROMPT
        ids[local:, 0] = [REMOTE - number for number in remotes]
        return self._wait(lambda answer: self.exchange.prefill(conv, 0, ids, answer))

    def step(self, conv: int, rows: int, token: int) -> NDArray[np.float32]:
        return self._wait(lambda answer: self.exchange.step(conv, rows, token, answer))

    def again(self, conv: int, index: int) -> NDArray[np.float32]:
        return self._wait(lambda answer: self.exchange.again(conv, index, answer))

    def end(self, conv: int) -> None:
        self._wait(lambda answer: self.exchange.end(conv, answer))

    def _wait(self, call) -> NDArray[np.float32]:  # type: ignore[no-untyped-def]
        answers: queue.SimpleQueue[NDArray[np.float32] | SkynetError] = queue.SimpleQueue()

        def answer(result: NDArray[np.float32] | SkynetError) -> None:
            answers.put(result if isinstance(result, SkynetError) else result.copy())

        began = time.monotonic()
        call(answer)
        result = answers.get(timeout=5)
        self.seconds = time.monotonic() - began
        assert answers.empty(), "answered twice"
        if isinstance(result, SkynetError):
            raise result
        return result


def endpoint(target: str, **changes: object) -> RemoteEndpoint:
    fields = {"target": target, "vocabulary": OURS.sha256.hex(), "deadline_ms": 200} | changes
    return RemoteEndpoint.model_validate(fields)


def bidder(name: str, target: str, **changes: object) -> Bidder:
    return Bidder(name, endpoint(target, **changes), OURS)
