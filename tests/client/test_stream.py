# SPDX-License-Identifier: Apache-2.0
"""Framing and content of the event stream, byte by byte."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from bls.contracts import Flag
from bls.errors import SkynetError
from client.gateway.decode import decode
from client.gateway.events import End, Order, Start, Token
from tests.client.fake_script import DISCLOSURE, WORDS, Send, Sleep, end, happy, start, token
from tests.client.fake_triton import FakeTriton
from tests.client.fake_wire import final, response
from tests.client.harness import LiveGateway, chat, chunks_of

TEXT = "".join(WORDS)


@pytest.mark.spec("AUC-C-07")
def test_every_frame_is_one_data_line_and_two_newlines(gateway: LiveGateway) -> None:
    events = gateway.stream()
    assert all(event.startswith((b"data: ", b": ")) and b"\n" not in event for event in events)
    assert events[-1] == b"data: [DONE]"
    chunks = chunks_of(events)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == (
        f"{TEXT}\n\n{DISCLOSURE}"
    )


def test_order_first_role_then_tokens_then_disclosure_then_receipt(gateway: LiveGateway) -> None:
    first, *tokens, told, last = chunks_of(gateway.stream())
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert first["skynet"]["rows"] == ["reference", "nimbus_air", "casa_verde"]
    assert [c["skynet"]["index"] for c in tokens] == list(range(len(WORDS)))
    assert told["skynet"] == {"disclosure": True}
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["skynet"]["receipt"]["total_micros"] == 250
    assert all(c["choices"][0]["finish_reason"] is None for c in (first, *tokens, told))


def test_a_sponsored_token_is_marked_and_priced(gateway: LiveGateway) -> None:
    tokens = chunks_of(gateway.stream())[1:-2]
    assert [c["skynet"]["winner"] for c in tokens[:4]] == [None, None, "nimbus_air", "nimbus_air"]
    assert [c["skynet"]["sponsored"] for c in tokens[:4]] == [False, False, True, True]
    assert tokens[2]["skynet"]["rows"] == [
        {
            "advertiser": "nimbus_air",
            "bid": 0.8,
            "charge": 0.125,
            "critical_bid": 0.25,
            "p_token": 0.25,
            "w_minus": 1.3,
            "status": "ok",
        },
        {
            "advertiser": "casa_verde",
            "bid": 0.3,
            "charge": 0.0,
            "critical_bid": None,
            "p_token": 0.125,
            "w_minus": 1.8,
            "status": "ok",
        },
    ]


def test_usage_chunk_only_when_asked(gateway: LiveGateway) -> None:
    last = chunks_of(gateway.stream(stream_options={"include_usage": True}))[-1]
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 21, "completion_tokens": 10, "total_tokens": 31}
    assert not any("usage" in chunk for chunk in chunks_of(gateway.stream()))


def test_no_disclosure_when_nothing_was_charged(triton: FakeTriton, gateway: LiveGateway) -> None:
    triton.script = lambda request: [start(request), token(0, "a"), end(request, 1, charged=False)]
    chunks = chunks_of(gateway.stream())
    assert not any("disclosure" in chunk["skynet"] for chunk in chunks)


def test_deadline_maps_to_length_and_the_receipt_keeps_the_reason(
    triton: FakeTriton, gateway: LiveGateway
) -> None:
    triton.script = lambda request: [start(request), token(0, "a"), end(request, 1, "deadline")]
    last = chunks_of(gateway.stream())[-1]
    assert last["choices"][0]["finish_reason"] == "length"
    assert last["skynet"]["receipt"]["finish_reason"] == "deadline"


def test_a_token_of_the_output_filter_is_marked(triton: FakeTriton, gateway: LiveGateway) -> None:
    triton.script = lambda request: [
        start(request),
        token(0, "a", FLAGS=int(Flag.POLICY | Flag.NEAR_TIE)),
        token(1, "b"),
        end(request, 2),
    ]
    tokens = [chunk["skynet"] for chunk in chunks_of(gateway.stream())[1:3]]
    assert [field["policy"] for field in tokens] == [True, False]
    assert (tokens[0]["winner"], tokens[0]["sponsored"]) == (None, False)
    assert tokens[0]["rows"][0]["w_minus"] == 1.3
    whole = gateway.post(chat()).json()["skynet"]["tokens"]
    assert [field["policy"] for field in whole] == [True, False]


def test_content_filter_is_openais_word_too(triton: FakeTriton, gateway: LiveGateway) -> None:
    triton.script = lambda request: [
        start(request),
        token(0, "a"),
        end(request, 1, "content_filter"),
    ]
    last = chunks_of(gateway.stream())[-1]
    assert last["choices"][0]["finish_reason"] == "content_filter"
    assert last["skynet"]["receipt"]["finish_reason"] == "content_filter"
    whole = gateway.post(chat()).json()["choices"][0]
    assert (whole["finish_reason"], whole["message"]["content"][:1]) == ("content_filter", "a")


def test_held_back_text_of_the_end_is_sent(triton: FakeTriton, gateway: LiveGateway) -> None:
    def script(request):  # type: ignore[no-untyped-def]
        last = end(request, 1, charged=False)
        return [start(request), token(0, "a"), token(1, ""), Send(last.values | {"TEXT": "bc"})]

    triton.script = script
    chunks = chunks_of(gateway.stream())
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == "abc"


@pytest.mark.spec("AUC-C-07")
@pytest.mark.parametrize("text", ["\u2028", "\x85", "\n\n", "data: [DONE]\n\n", "\r", '"}', "✈️"])
def test_awkward_text_survives_any_line_splitter(
    triton: FakeTriton, gateway: LiveGateway, text: str
) -> None:
    triton.script = lambda request: [start(request), token(0, text), end(request, 1)]
    body = chat(stream=True)
    lines = gateway.post(body).text.splitlines()  # cuts at U+2028, U+0085 and more
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert chunks[1]["choices"][0]["delta"]["content"] == text
    assert all(line == "" or line.startswith(("data: ", ": keep-alive")) for line in lines)


def test_heartbeats_while_prefilling(triton: FakeTriton, restless: LiveGateway) -> None:
    triton.script = lambda request: [Sleep(0.55), *happy(request)]
    events = restless.stream()
    beats = [event for event in events if event == b": keep-alive"]
    assert 3 <= len(beats) <= 12  # every 0.1 s of 0.55 s, on a machine that may be busy
    assert events[: len(beats)] == beats
    assert len(chunks_of(events)) == len(WORDS) + 3


def test_headers_keep_proxies_from_buffering(gateway: LiveGateway) -> None:
    headers = gateway.post(chat(stream=True)).headers
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-request-id"].startswith("req-")


def test_tokens_are_sent_one_by_one(triton: FakeTriton, gateway: LiveGateway) -> None:
    triton.script = lambda request: [start(request), token(0, "now"), Sleep(2), end(request, 1)]
    with httpx.stream("POST", f"{gateway.url}/v1/chat/completions", json=chat(stream=True)) as r:
        seen = b""
        for data in r.iter_raw():
            seen += data
            if b'"now"' in seen:
                break
    assert b"[DONE]" not in seen


def test_non_stream_gathers_the_same_reply(gateway: LiveGateway) -> None:
    body = gateway.post(chat()).json()
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"]["content"] == f"{TEXT}\n\n{DISCLOSURE}"
    assert body["usage"]["total_tokens"] == 31
    assert body["skynet"]["receipt"]["total_micros"] == 250
    assert [t["sponsored"] for t in body["skynet"]["tokens"]].count(True) == 2


def test_a_finished_reply_is_not_cancelled(triton: FakeTriton, gateway: LiveGateway) -> None:
    for _ in range(20):
        gateway.post(chat())
    assert (triton.finished, triton.cancelled) == (20, 0)


def test_empty_final_response_decodes_to_nothing() -> None:
    assert decode(final("r").infer_response) is None


@pytest.mark.parametrize("broken", ["KIND", "INDEX", "TEXT", "CHARGE", "ROW_STATUS"])
def test_a_response_without_a_tensor_is_refused(broken: str) -> None:
    values = dict(token(0, "a").values)
    del values[broken]
    with pytest.raises(SkynetError, match="failed"):
        decode(response("r", values).infer_response)


def test_order_of_events_is_enforced() -> None:
    begin, stop = Start("c", ("reference",), (1.0,)), End("", "stop", {})
    one = Token(0, 1, "a", 0, 0, 0.1, (1.0,), (0.0,), (0.0,), (1.0,), (1.0,), (0,))
    wide = Token(0, 1, "a", 0, 0, 0.1, (1.0, 2.0), (0.0,), (0.0,), (1.0,), (1.0,), (0,))
    for events in ([one], [begin, begin], [begin, stop, one], [stop], [begin, wide]):
        order = Order()
        with pytest.raises(SkynetError):
            for event in events:
                order.check(event)
    with pytest.raises(SkynetError):
        Order().end()


def test_replies_run_side_by_side(triton: FakeTriton, gateway: LiveGateway) -> None:
    triton.script = lambda request: [start(request), Sleep(0.3), *happy(request)[1:]]

    async def ask(http: httpx.AsyncClient) -> int:
        answer = await http.post(f"{gateway.url}/v1/chat/completions", json=chat())
        return answer.status_code

    async def four() -> list[int]:
        async with httpx.AsyncClient() as http:
            return await asyncio.gather(*(ask(http) for _ in range(4)))

    assert asyncio.run(four()) == [200] * 4
