# SPDX-License-Identifier: Apache-2.0
"""The thin client, sync and async, and its SSE decoder."""

from __future__ import annotations

import asyncio
import runpy
import sys
from contextlib import aclosing

import httpx
import pytest

from bls.errors import SkynetError
from client import example, thin
from client.replies import Event, Receipt, ReplyError, Start, Text, Token
from client.sse import Decoder
from client.thin import astream_chat, get_json, stream_chat
from tests.client.fake_script import WORDS, Fail, forever, start, token
from tests.client.fake_triton import FakeTriton, wait_until
from tests.client.harness import USER, LiveGateway


def kinds(events: list[Event]) -> list[type]:
    return [type(event) for event in events]


def test_typed_events_in_order(gateway: LiveGateway) -> None:
    events = list(stream_chat(gateway.url, USER))
    assert kinds(events) == [Start, *[Token] * len(WORDS), Text, Receipt]
    third, told, receipt = events[3], events[-2], events[-1]
    assert isinstance(third, Token) and isinstance(told, Text) and isinstance(receipt, Receipt)
    assert (third.text, third.winner, third.rows[0].charge) == (" morning", "nimbus_air", 0.125)
    assert third.rows[1].critical_bid is None
    assert told.disclosure
    assert (receipt.total_micros, receipt.lines[0].charge_micros) == (250, 250)


def test_async_twin_yields_the_same(gateway: LiveGateway) -> None:
    async def gather() -> list[Event]:
        options = {"stream_options": {"include_usage": True}}
        return [event async for event in astream_chat(gateway.url, USER, **options)]

    assert kinds(asyncio.run(gather())) == kinds(list(stream_chat(gateway.url, USER)))


def test_refusal_has_status_code_and_param(gateway: LiveGateway) -> None:
    with pytest.raises(ReplyError) as caught:
        list(stream_chat(gateway.url, USER, max_tokens=0))
    error = caught.value
    assert (error.status, error.code, error.param) == (400, "invalid_value", "max_tokens")
    assert (error.request_id or "").startswith("req-")


def test_async_refusal(gateway: LiveGateway) -> None:
    async def ask() -> None:
        async for _ in astream_chat(gateway.url, USER, max_tokens=0):
            pass

    with pytest.raises(ReplyError):
        asyncio.run(ask())


def test_error_in_mid_stream(triton: FakeTriton, gateway: LiveGateway) -> None:
    failed = Fail(SkynetError("broken_reference", "The reply broke.", 500))
    triton.script = lambda request: [start(request), token(0, "a"), failed]
    events: list[Event] = []
    with pytest.raises(ReplyError, match=r"The reply broke\.") as caught:
        events.extend(stream_chat(gateway.url, USER))
    assert kinds(events) == [Start, Token]
    assert (caught.value.code, caught.value.status) == ("broken_reference", None)


def test_leaving_the_loop_cancels_the_reply(triton: FakeTriton, gateway: LiveGateway) -> None:
    triton.script = forever
    events = stream_chat(gateway.url, USER)
    assert isinstance(next(events), Start)
    events.close()
    assert wait_until(lambda: triton.cancelled == 1)


def test_leaving_the_async_loop_cancels_the_reply(triton: FakeTriton, gateway: LiveGateway) -> None:
    triton.script = forever

    async def leave() -> None:
        async with aclosing(astream_chat(gateway.url, USER)) as events:
            async for _ in events:
                return

    asyncio.run(leave())
    assert wait_until(lambda: triton.cancelled == 1)


def test_the_key_of_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYNET_API_KEY", "s3cret")
    assert thin.auth() == {"authorization": "Bearer s3cret"}
    monkeypatch.delenv("SKYNET_API_KEY")
    assert thin.auth() == {}


def test_a_stranger_in_between_is_reported() -> None:
    error = thin.http_error(502, b"<html>bad gateway</html>")
    assert (error.code, error.status) == ("http_error", 502)


def test_no_gateway() -> None:
    with pytest.raises(httpx.ConnectError):
        get_json("http://127.0.0.1:9", "/healthz")


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_decoder_at_any_cut(size: int) -> None:
    stream = (
        b': keep-alive\n\ndata: {"a":"\\u2028\xe2\x80\xa8"}\n\ndata: {"b":1}\n\ndata: [DONE]\n\n'
    )
    decoder, seen = Decoder(), []
    for at in range(0, len(stream), size):
        seen += decoder.feed(stream[at : at + size])
    decoder.finish()
    assert seen == [{"a": "\u2028\u2028"}, {"b": 1}]


def test_decoder_tells_a_cut_stream() -> None:
    decoder = Decoder()
    list(decoder.feed(b'data: {"a":1}\n\ndata: {"b'))
    with pytest.raises(ReplyError, match="ended early"):
        decoder.finish()


def test_the_example_of_the_readme_runs(
    gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(thin, "DEFAULT_URL", gateway.url)
    monkeypatch.setattr(sys, "argv", ["example", "A weekend?"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(example.__file__, run_name="__main__")
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert "Try the[ morning][ flight] to" in out
    assert "nimbus_air pays 250 micro-USD" in out
