# SPDX-License-Identifier: Apache-2.0
"""Talks to an in-process engine the way `llm_step` does, one blocking call per job."""

from __future__ import annotations

import queue
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bls.errors import SkynetError
from bls.llm.engine import Engine
from bls.llm.jobs import Again, End, Job, Prefill, Reply, Span, Step

Rows = tuple[tuple[int, ...], ...]


class EngineClient:
    """`wait` returns logits or raises what the engine answered."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def submit(self, make: Callable[[Reply], Job]) -> queue.SimpleQueue[object]:
        answer: queue.SimpleQueue[object] = queue.SimpleQueue()

        def reply(result: Span | SkynetError) -> None:
            if isinstance(result, Span):
                logits = self.engine._session.logits
                answer.put(logits[result.start : result.start + result.rows].copy())
            else:
                answer.put(result)

        self.engine.submit(make(reply))
        return answer

    @staticmethod
    def wait(answer: queue.SimpleQueue[object], timeout: float = 30.0) -> NDArray[np.float32]:
        result = answer.get(timeout=timeout)
        if isinstance(result, SkynetError):
            raise result
        assert isinstance(result, np.ndarray)
        return result

    def prefill(self, conv: int, rows: Rows, salt: int = 0) -> NDArray[np.float32]:
        return self.wait(self.submit(lambda reply: Prefill(conv, salt, rows, reply)))

    def step(self, conv: int, rows: int, token: int) -> NDArray[np.float32]:
        return self.wait(self.submit(lambda reply: Step(conv, rows, token, reply)))

    def again(self, conv: int, index: int) -> NDArray[np.float32]:
        return self.wait(self.submit(lambda reply: Again(conv, index, reply)))

    def end(self, conv: int) -> None:
        self.wait(self.submit(lambda reply: End(conv, reply)))

    def generate(self, conv: int, rows: Rows, tokens: int, salt: int = 0) -> list[bytes]:
        """Greedy on row 0: the bytes of every step's logits."""
        logits = self.prefill(conv, rows, salt)
        seen = [logits.tobytes()]
        for _ in range(tokens):
            logits = self.step(conv, len(rows), int(logits[0].argmax()))
            seen.append(logits.tobytes())
        return seen
