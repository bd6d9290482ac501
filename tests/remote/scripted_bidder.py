# SPDX-License-Identifier: Apache-2.0
"""A remote bidder that does what a test tells it: good answers, late ones, nonsense, silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc

from bls.remote.remote_bidder_pb2 import LogitChunk, Open, TopK, Turn
from bls.remote.service import METHOD, SERVICE

THREADS = 32


@dataclass
class Sleep:
    """Wait before what comes next."""

    seconds: float


class Hang:
    """Say nothing more, and read nothing more, until the stream is cancelled."""


class Quit:
    """End the stream with an error."""


class Leave:
    """End the stream as if the reply were over."""


Act = LogitChunk | bytes | Sleep | Hang | Quit | Leave
Script = Callable[[Open, int], Iterable[Act]]
"""What to do when token `index` of a reply is announced."""


def top(opening: Open, index: int, logits: dict[int, float], floor: float = 0.0) -> LogitChunk:
    """A good chunk, whatever is in `logits`."""
    best = TopK(id=list(logits), logit=list(logits.values()), floor=floor)
    return LogitChunk(index=index, vocabulary=opening.vocabulary, top_k=best)


def insist(token: int, logit: float = 30.0) -> Script:
    """Always the same token, nearly certain."""
    return lambda opening, index: [top(opening, index, {token: logit})]


def silent(opening: Open, index: int) -> Sequence[Act]:
    return []


@dataclass
class ScriptedBidder:
    """`script` may be swapped while it runs; the lists say what it was told.

    Attributes:
        credentials: of the server; None serves plaintext.
    """

    script: Script = silent
    credentials: grpc.ServerCredentials | None = None
    opens: list[Open] = field(default_factory=list)
    tokens: list[tuple[int, int]] = field(default_factory=list)
    closes: int = 0
    live: int = 0
    port: int = 0

    def __enter__(self) -> ScriptedBidder:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on a free loopback port, or again on the one it had."""
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(THREADS), options=[("grpc.so_reuseport", 0)])
        handler = grpc.stream_stream_rpc_method_handler(
            self._bid, Turn.FromString, lambda said: said
        )
        methods = grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler})
        self._server.add_generic_rpc_handlers((methods,))
        address = f"127.0.0.1:{self.port}"
        if self.credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, self.credentials)
        self._server.start()

    def stop(self) -> None:
        """Cut every stream and close the port, as a killed process does."""
        self._server.stop(grace=None).wait(5)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _bid(self, turns: Iterator[Turn], context: Any) -> Iterator[bytes]:
        over = threading.Event()
        context.add_callback(over.set)
        self._count(1)
        try:
            opening = next(turns).open
            self.opens.append(opening)
            yield from self._play(opening, 0, over, context)
            for turn in turns:
                if turn.HasField("close"):
                    self.closes += 1
                    return
                self.tokens.append((turn.next.index, turn.next.token))
                yield from self._play(opening, turn.next.index, over, context)
        except _LeftError:
            return
        finally:
            self._count(-1)

    def _play(
        self, opening: Open, index: int, over: threading.Event, context: Any
    ) -> Iterator[bytes]:
        for act in self.script(opening, index):
            if isinstance(act, Sleep):
                over.wait(act.seconds)
            elif isinstance(act, Hang):
                over.wait(60)
            elif isinstance(act, Quit):
                context.abort(grpc.StatusCode.INTERNAL, "told to")
            elif isinstance(act, Leave):
                raise _LeftError
            else:
                yield act if isinstance(act, bytes) else act.SerializeToString()

    def _count(self, change: int) -> None:
        with self._lock:
            self.live += change


class _LeftError(Exception):
    pass


def until(met: Callable[[], bool], seconds: float = 5.0) -> None:
    """Poll until `met()`; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.005)
