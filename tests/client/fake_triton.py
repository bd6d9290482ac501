# SPDX-License-Identifier: Apache-2.0
"""A real gRPC server that speaks Triton's KServe protocol and plays a scripted `token_auction`.

Real sockets and the real generated protocol; only the model behind it is a script: a list of
steps, each a response to send, a pause, or a way to fail.
"""

from __future__ import annotations

import json
import math
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from bls.contracts import POLICY_GUARD, TOKEN_AUCTION, Flag, Kind
from bls.errors import SkynetError
from bls.guard.ruling import Ruling
from bls.request import (
    BidUpdate,
    ReplyRequest,
    ScoreUpdate,
    is_score,
    is_update,
    parse_request,
    parse_score,
    parse_update,
)

PRELUDE = {"windows": 0, "summaries": 0, "ms": {"total": 40.0}}
ROWS = ("reference", "nimbus_air", "casa_verde")
BIDS = (1.0, 0.8, 0.3)
INVALID_AT = 0.9
DISCLOSURE = "Parts of this reply were sponsored by nimbus_air."
WORDS = ("Try", " the", " morning", " flight", " to", " Lis", "b", "oa", " \u2708", ".")

_PACK = {"INT32": "i", "FP64": "d", "FP32": "f"}
_DTYPES = {tensor.name: tensor.dtype for tensor in TOKEN_AUCTION.outputs}


@dataclass
class Sleep:
    """Wait; ends early when the client cancels."""

    seconds: float


@dataclass
class Fail:
    """Answer with an error message, as Triton does for a model that raised."""

    error: SkynetError | str


@dataclass
class Abort:
    """End the RPC with a gRPC status."""

    code: grpc.StatusCode


@dataclass
class Send:
    """Answer with these tensors."""

    values: dict[str, Any]


Step = Sleep | Fail | Abort | Send
Script = Callable[[ReplyRequest], Iterable[Step]]
Updates = Callable[[BidUpdate], Iterable[Step]]


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
        texts = _texts(request.raw_input_contents[0])
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


def read_request(message: Any) -> ReplyRequest | BidUpdate | ScoreUpdate:
    """What the model would read from tensor REQUEST."""
    assert message.model_name == TOKEN_AUCTION.name
    assert message.inputs[0].name == "REQUEST" and message.inputs[0].datatype == "BYTES"
    raw = message.raw_input_contents[0]
    (size,) = struct.unpack("<I", raw[:4])
    assert size == len(raw) - 4
    if is_score(raw[4:]):
        return parse_score(raw[4:])
    return parse_update(raw[4:]) if is_update(raw[4:]) else parse_request(raw[4:])


def response(request_id: str, values: dict[str, Any]) -> Any:
    """A response with the tensors in `values`."""
    answer = service_pb2.ModelInferResponse(model_name=TOKEN_AUCTION.name, id=request_id)
    for name, value in values.items():
        dtype = _DTYPES[name]
        if dtype == "STRING":
            data = value if isinstance(value, bytes) else value.encode()
            raw, size, dtype = struct.pack("<I", len(data)) + data, 1, "BYTES"
        else:
            items = value if isinstance(value, tuple | list) else (value,)
            raw, size = struct.pack(f"<{len(items)}{_PACK[dtype]}", *items), len(items)
        answer.outputs.add(name=name, datatype=dtype, shape=[size])
        answer.raw_output_contents.append(raw)
    return service_pb2.ModelStreamInferResponse(infer_response=answer)


def final(request_id: str) -> Any:
    """Triton's empty final response."""
    answer = service_pb2.ModelInferResponse(model_name=TOKEN_AUCTION.name, id=request_id)
    answer.parameters["triton_final_response"].bool_param = True
    return service_pb2.ModelStreamInferResponse(infer_response=answer)


def failure(error: SkynetError | str) -> Any:
    """Triton wraps what a model raised in words of its own."""
    text = error if isinstance(error, str) else error.to_wire()
    message = f"[request id: 7] in ensemble 'x', {text}"
    return service_pb2.ModelStreamInferResponse(error_message=message)


def start(request: ReplyRequest, rows: tuple[str, ...] = ROWS) -> Send:
    """The START response."""
    header = {
        "conv_id": request.conv_id,
        "request_id": request.request_id,
        "model": "fake",
        "rows": rows,
        "bids": BIDS[: len(rows)],
        "prompt_tokens": 21,
        "truncated": False,
        "mode": "argmax",
        "prelude": PRELUDE,
        **({} if request.session_id is None else {"traffic": {"invalid_at": INVALID_AT}}),
    }
    return Send({"KIND": int(Kind.START), "RECEIPT": json.dumps(header)})


def token(index: int, text: str | bytes, winner: int = 0, **changed: Any) -> Send:
    """A TOKEN response: advertiser `winner` pays a little when it is not 0."""
    charge = [0.0] * len(ROWS)
    charge[winner] = 0.125 if winner else 0.0
    values = {
        "KIND": int(Kind.TOKEN),
        "TEXT": text,
        "INDEX": index,
        "TOKEN_ID": 1_000 + index,
        "WINNER": winner,
        "FLAGS": int(Flag.SPONSORED) if winner else 0,
        "MARGIN": 0.4,
        "BID": BIDS,
        "CHARGE": charge,
        "CRITICAL_BID": (0.0, 0.25, math.inf),
        "P_TOKEN": (0.5, 0.25, 0.125),
        "W_MINUS": (1.1, 1.3, 1.8),
        "ROW_STATUS": (0, 0, 0),
    }
    return Send(values | changed)


def end(request: ReplyRequest, tokens: int, reason: str = "stop", charged: bool = True) -> Send:
    """The END response with its receipt."""
    lines = [
        {
            "advertiser": name,
            "row": row,
            "bid": BIDS[row],
            "tokens_influenced": 2 if row == 1 else 0,
            "tokens_dropped": 0,
            "pay_micros": 250 if row == 1 and charged else 0,
            "critical_bid_micros": 500 if row == 1 else 0,
            "charge_micros": 250 if row == 1 and charged else 0,
        }
        for row, name in enumerate(ROWS)
        if row
    ]
    receipt = {
        "request_id": request.request_id,
        "conv_id": request.conv_id,
        "model": "fake",
        "finish_reason": reason,
        "prompt_tokens": 21,
        "completion_tokens": tokens,
        "sponsored_tokens": 2,
        "near_tie_tokens": 0,
        "policy_tokens": 0,
        "charge_rule": "clarke",
        "currency": "USD",
        "micros_per_weight": 1_000,
        "total_micros": sum(line["charge_micros"] for line in lines),
        "lines": lines,
        "disclosure": DISCLOSURE if charged else None,
        "timings": {"ttft_ms": 12.5, "total_ms": 80.0},
    }
    values = {"KIND": int(Kind.END), "FINISH_REASON": reason, "RECEIPT": json.dumps(receipt)}
    return Send(values)


def happy(request: ReplyRequest) -> list[Step]:
    """Ten tokens, two of them sponsored."""
    words = WORDS[: request.max_tokens]
    tokens = [token(i, word, 1 if i in (2, 3) else 0) for i, word in enumerate(words)]
    return [start(request), *tokens, end(request, len(words))]


def updated(update: BidUpdate | ScoreUpdate) -> list[Step]:
    """New bids count from token 5 on."""
    receipt = {"conv_id": update.conv_id, "applied_from": 5}
    return [Send({"KIND": int(Kind.UPDATE), "RECEIPT": json.dumps(receipt)})]


def forever(request: ReplyRequest) -> Iterator[Step]:
    """Tokens until somebody ends it."""
    yield start(request)
    for index in range(20_000):
        yield token(index, " on")
        yield Sleep(0.01)


def wait_until(met: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    """Poll: true as soon as `met()` is, false after `timeout_s`."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if met():
            return True
        time.sleep(0.01)
    return met()


def _texts(raw: bytes) -> list[str]:
    """BYTES elements: each a little-endian u32 length, then UTF-8."""
    texts, at = [], 0
    while at < len(raw):
        (size,) = struct.unpack_from("<I", raw, at)
        texts.append(raw[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return texts
