# SPDX-License-Identifier: Apache-2.0
"""How replies end when they do not end well: reader, server, deadline, limits, shutdown."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import grpc
import httpx
import orjson
import pytest

from bls.errors import SkynetError
from client.gateway.settings import GatewaySettings
from tests.client.fake_script import Abort, Fail, Send, Sleep, forever, start, token
from tests.client.fake_triton import FakeTriton, wait_until
from tests.client.harness import LiveGateway, chat, chunks_of


@contextmanager
def open_stream(gateway: LiveGateway) -> Iterator[Iterator[bytes]]:
    """What is still to come of a reply that has begun."""
    url = f"{gateway.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=chat(stream=True), timeout=10) as answer:
        pieces = answer.iter_raw()
        assert any(piece.startswith(b"data: ") for piece in pieces)
        yield pieces


def idle(gateway: LiveGateway) -> bool:
    return wait_until(lambda: gateway.state.slots.live == 0)


def test_reader_leaves_while_streaming(triton: FakeTriton, gateway: LiveGateway) -> None:
    triton.script = forever
    with open_stream(gateway):
        pass
    assert wait_until(lambda: triton.cancelled == 1, 1.0)
    assert idle(gateway)
    told = b'cg_gateway_replies_total{outcome="cancelled"} 1.0'  # a moment after the slot is free
    assert wait_until(lambda: told in gateway.state.metrics.text())


def test_reader_leaves_while_prefilling(triton: FakeTriton, gateway: LiveGateway) -> None:
    triton.script = lambda request: [Sleep(20)]
    with pytest.raises(httpx.ReadTimeout):
        url = f"{gateway.url}/v1/chat/completions"
        httpx.post(url, json=chat(stream=False), timeout=httpx.Timeout(5, read=0.3))
    assert wait_until(lambda: triton.cancelled == 1, 1.0)
    assert idle(gateway)


def test_a_reader_that_does_not_read_is_ended_by_the_deadline(triton: FakeTriton) -> None:
    triton.script = lambda request: [start(request), *[token(0, "x" * 9_000) for _ in range(5_000)]]
    settings = GatewaySettings(triton=triton.address, deadline_grace_ms=200)
    with LiveGateway(settings) as gateway, socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", gateway.port))
        body = orjson.dumps(chat(stream=True, skynet={"deadline_ms": 300}))
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        reader.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        assert wait_until(lambda: gateway.state.slots.live == 1)
        assert idle(gateway)
        assert wait_until(lambda: triton.cancelled == 1)


def test_the_deadline_is_passed_on_and_guarded(triton: FakeTriton) -> None:
    triton.script = lambda request: [Sleep(20)]
    settings = GatewaySettings(triton=triton.address, deadline_grace_ms=200)
    with LiveGateway(settings) as gateway:
        answer = gateway.post(chat(skynet={"deadline_ms": 100}))
        assert answer.status_code == 504
        assert answer.json()["error"]["code"] == "deadline_exceeded"
        assert triton.requests[0].deadline_ms == 100
        assert wait_until(lambda: triton.cancelled == 1)


def test_streams_at_the_limit_and_one_past(triton: FakeTriton, gateway: LiveGateway) -> None:
    triton.script = forever
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(open_stream(gateway))
        for stream in (True, False):
            refused = gateway.post(chat(stream=stream))
            assert refused.status_code == 429
            assert refused.json()["error"]["code"] == "capacity"
            assert refused.headers["retry-after"] == "1"
        assert triton.started == 4
    assert idle(gateway)
    with open_stream(gateway):
        pass


def test_a_slot_is_free_when_the_last_byte_is_there(gateway: LiveGateway) -> None:
    codes = []

    def ask() -> None:
        codes.extend(gateway.post(chat()).status_code for _ in range(10))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 40


def test_error_in_mid_stream_ends_without_done(triton: FakeTriton, gateway: LiveGateway) -> None:
    failed = Fail(SkynetError("broken_reference", "The reply broke.", 500))
    triton.script = lambda request: [start(request), token(0, "a"), failed]
    events = gateway.stream()
    error = chunks_of(events)[-1]["error"]
    assert (error["code"], error["type"]) == ("broken_reference", "server_error")
    assert error["request_id"].startswith("req-")
    assert b"data: [DONE]" not in events


@pytest.mark.parametrize(
    ("step", "status", "code"),
    [
        (
            Fail(SkynetError("prompt_too_long", "Too long.", 413, "messages")),
            413,
            "prompt_too_long",
        ),
        (Fail("Traceback /opt/model.py: tensor [1, 2]"), 500, "internal"),
        (Abort(grpc.StatusCode.UNAVAILABLE), 503, "unavailable"),
        (Abort(grpc.StatusCode.CANCELLED), 503, "unavailable"),
        (Abort(grpc.StatusCode.RESOURCE_EXHAUSTED), 429, "capacity"),
        (Abort(grpc.StatusCode.DEADLINE_EXCEEDED), 504, "deadline_exceeded"),
        (Abort(grpc.StatusCode.UNKNOWN), 500, "internal"),
        (Send({"KIND": 1}), 500, "internal"),
        (Send({"KIND": 2, "FINISH_REASON": "stop", "RECEIPT": "not json"}), 500, "internal"),
        (token(0, "a"), 500, "internal"),
        (Sleep(0), 500, "internal"),
    ],
    ids=str,
)
@pytest.mark.parametrize("stream", [True, False])
def test_upstream_failures(  # noqa: PLR0917
    triton: FakeTriton, gateway: LiveGateway, step, status, code, stream
) -> None:
    triton.script = lambda request: [step]
    answer = gateway.post(chat(stream=stream))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert not any(word in answer.text for word in ("secret", "Traceback", "/opt", "tensor"))
    assert idle(gateway)


def test_a_server_that_stops_in_mid_stream(triton: FakeTriton, gateway: LiveGateway) -> None:
    triton.script = forever
    with open_stream(gateway) as pieces:
        triton.stop()
        rest = b"".join(pieces)
    assert b'"code":"unavailable"' in rest
    assert gateway.post(chat()).status_code == 503


def test_a_server_that_comes_back_is_used_again(triton: FakeTriton, gateway: LiveGateway) -> None:
    assert gateway.post(chat()).status_code == 200
    triton.stop()
    assert gateway.post(chat()).status_code == 503
    triton.start()
    assert wait_until(lambda: gateway.post(chat()).status_code == 200)


def test_shutdown_tells_open_streams_and_cancels_them(triton: FakeTriton) -> None:
    triton.script = forever
    with LiveGateway(GatewaySettings(triton=triton.address)) as gateway:
        with open_stream(gateway) as pieces:
            began = time.monotonic()
            stopping = threading.Thread(target=gateway.stop)
            stopping.start()
            rest = b"".join(pieces)
        stopping.join()
        assert time.monotonic() - began < 5
    assert b'"code":"shutting_down"' in rest
    assert wait_until(lambda: triton.cancelled == 1)


def test_a_slow_body_is_given_up(triton: FakeTriton) -> None:
    settings = GatewaySettings(triton=triton.address, body_timeout_s=0.2)
    with (
        LiveGateway(settings) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port)) as slow,
    ):
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        slow.sendall(f"{head}content-length: 100\r\n\r\n{{".encode())
        assert b" 408 " in slow.recv(4096).split(b"\r\n")[0]


def test_a_chunked_body_past_the_limit(gateway: LiveGateway) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(5):
            yield b" " * 65_536

    url = f"{gateway.url}/v1/chat/completions"
    answer = httpx.post(url, content=pieces(), headers={"content-type": "application/json"})
    assert answer.status_code == 413
