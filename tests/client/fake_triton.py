# SPDX-License-Identifier: Apache-2.0
"""A real gRPC server that speaks Triton's KServe protocol and plays a scripted `token_auction`.

Real sockets and the real generated protocol; only the model behind it is a script: a list of
steps, each a response to send, a pause, or a way to fail.
"""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from bls.contracts import POLICY_GUARD
from bls.guard.ruling import Ruling
from bls.request import BidUpdate, ReplyRequest, ScoreUpdate
from tests.client.fake_script import Abort, Fail, Script, Sleep, Step, Updates, happy, updated
from tests.client.fake_wire import failure, final, read_request, read_texts, response


@dataclass
class FakeTriton:
    """`script` and `on_update` may be swapped between requests; counters say what happened."""

    script: Script = field(default_factory=lambda: happy)
    on_update: Updates = field(default_factory=lambda: updated)
    server_ready: bool = True
    model_ready: bool = True
    guard: Callable[[str], Ruling] | None = None  # None: `policy_guard` is away
    judged: list[str] = field(default_factory=list)
    requests: list[ReplyRequest] = field(default_factory=list)
    updates: list[BidUpdate] = field(default_factory=list)
    scores: list[ScoreUpdate] = field(default_factory=list)
    started: int = 0
    finished: int = 0
    cancelled: int = 0
    address: str = ""

    def __enter__(self) -> FakeTriton:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on a free loopback port, or again on the one it had."""
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=64))
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(_Servicer(self), self._server)
        port = self._server.add_insecure_port(self.address or "127.0.0.1:0")
        self._server.start()
        self.address = f"127.0.0.1:{port}"

    def stop(self) -> None:
        """Cut every stream and close the port."""
        self._server.stop(grace=None).wait(5)

    def count(self, name: str) -> None:
        """Add one to a counter; streams run in threads."""
        with self._lock:
            setattr(self, name, getattr(self, name) + 1)


class _Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    def __init__(self, fake: FakeTriton):
        self._fake = fake

    def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        return service_pb2.ServerReadyResponse(ready=self._fake.server_ready)

    def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        return service_pb2.ModelReadyResponse(ready=self._fake.model_ready)

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        """`policy_guard`, by the script's rule."""
        if self._fake.guard is None or request.model_name != POLICY_GUARD.name:
            context.abort(grpc.StatusCode.UNAVAILABLE, "no such model")
        texts = read_texts(request.raw_input_contents[0])
        self._fake.judged += texts
        rulings = [self._fake.guard(text) for text in texts]
        reasons = [ruling.reason.encode() for ruling in rulings]
        raw = {
            "VERDICT": struct.pack(f"<{len(texts)}i", *(ruling.verdict for ruling in rulings)),
            "REASON": b"".join(struct.pack("<I", len(word)) + word for word in reasons),
            "SCORE": struct.pack(f"<{len(texts)}f", *(ruling.score for ruling in rulings)),
        }
        response = service_pb2.ModelInferResponse(model_name=request.model_name)
        for tensor in POLICY_GUARD.outputs:
            response.outputs.add(name=tensor.name, shape=[len(texts), 1])
            response.raw_output_contents.append(raw[tensor.name])
        return response

    def ModelStreamInfer(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:  # noqa: N802
        over = threading.Event()
        context.add_callback(over.set)
        for message in requests:
            self._fake.count("started")
            finished = False
            try:
                yield from self._play(message, context, over)
                finished = True
            finally:
                self._fake.count("finished" if finished and not over.is_set() else "cancelled")

    def _steps(self, request: ReplyRequest | BidUpdate | ScoreUpdate) -> Iterable[Step]:
        if isinstance(request, ScoreUpdate):
            self._fake.scores.append(request)
            return updated(request)
        if isinstance(request, BidUpdate):
            self._fake.updates.append(request)
            return self._fake.on_update(request)
        self._fake.requests.append(request)
        return self._fake.script(request)

    def _play(self, message: Any, context: Any, over: threading.Event) -> Iterator[Any]:
        for step in self._steps(read_request(message)):
            if over.is_set():
                return
            if isinstance(step, Sleep):
                over.wait(step.seconds)
            elif isinstance(step, Abort):
                context.abort(step.code, "secret internal words")
            elif isinstance(step, Fail):
                yield failure(step.error)
                return
            else:
                yield response(message.id, step.values)
        if message.parameters["triton_enable_empty_final_response"].bool_param:
            yield final(message.id)


def wait_until(met: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    """Poll: true as soon as `met()` is, false after `timeout_s`."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if met():
            return True
        time.sleep(0.01)
    return met()
