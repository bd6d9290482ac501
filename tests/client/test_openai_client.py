# SPDX-License-Identifier: Apache-2.0
"""The official `openai` client against a live gateway."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from bls.errors import SkynetError
from tests.client.fake_script import DISCLOSURE, WORDS, Fail, Sleep, forever, happy, start, token
from tests.client.fake_triton import FakeTriton, wait_until
from tests.client.harness import USER, LiveGateway


@pytest.fixture
def client(gateway: LiveGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as made:
        yield made


def ask(client: openai.OpenAI, **fields: Any) -> Any:
    return client.chat.completions.create(model="skynet", messages=USER, **fields)  # type: ignore[call-overload]


@pytest.mark.spec("AUC-C-07")
def test_stream(client: openai.OpenAI) -> None:
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == "".join(WORDS) + "\n\n" + DISCLOSURE
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[3].skynet["winner"] == "nimbus_air"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.total_tokens == 31


def test_heartbeats_are_ignored(triton: FakeTriton, restless: LiveGateway) -> None:
    triton.script = lambda request: [Sleep(0.3), *happy(request)]
    with openai.OpenAI(base_url=f"{restless.url}/v1", api_key="any", max_retries=0) as client:
        assert len(list(ask(client, stream=True))) == len(WORDS) + 3


def test_non_stream(client: openai.OpenAI) -> None:
    reply = ask(client, max_tokens=3)
    assert reply.choices[0].message.content == "Try the morning\n\n" + DISCLOSURE
    assert reply.skynet["receipt"]["currency"] == "USD"
    assert reply._request_id.startswith("req-")


def test_a_reply_can_be_sent_back_as_history(triton: FakeTriton, client: openai.OpenAI) -> None:
    said = ask(client).choices[0].message
    turns = [*USER, said.model_dump(), {"role": "user", "content": "And Sunday?"}]
    client.chat.completions.create(model="skynet", messages=turns)  # type: ignore[arg-type]
    assert [m.role for m in triton.requests[-1].messages] == ["user", "assistant", "user"]


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["skynet"]


def test_refusal(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, max_tokens=10**9)
    assert caught.value.code == "invalid_value"
    assert caught.value.param == "max_tokens"
    assert caught.value.type == "invalid_request_error"
    assert (caught.value.request_id or "").startswith("req-")


def test_extra_body(triton: FakeTriton, client: openai.OpenAI) -> None:
    bidders = [{"advertiser": "nimbus_air", "bid": 0.5}]
    ask(client, extra_body={"skynet": {"bidders": bidders}})
    (bidder,) = triton.requests[0].auction.bidders or ()
    assert (bidder.advertiser, bidder.bid) == ("nimbus_air", 0.5)


def test_error_before_the_first_event_has_its_status(
    triton: FakeTriton, client: openai.OpenAI
) -> None:
    triton.script = lambda request: [Fail(SkynetError("prompt_too_long", "Too long.", 400))]
    with pytest.raises(openai.BadRequestError, match=r"Too long\."):
        ask(client, stream=True)


def test_error_in_mid_stream_raises(triton: FakeTriton, client: openai.OpenAI) -> None:
    failed = Fail(SkynetError("broken_reference", "The reply broke.", 500))
    triton.script = lambda request: [start(request), token(0, "a"), failed]
    seen = []
    with pytest.raises(openai.APIError, match=r"The reply broke\.") as caught:
        seen += list(ask(client, stream=True))
    assert caught.value.code == "broken_reference"


def test_closing_the_stream_cancels_the_reply(triton: FakeTriton, client: openai.OpenAI) -> None:
    triton.script = forever
    with ask(client, stream=True) as stream:
        for count, _ in enumerate(stream):
            if count == 3:
                break
    assert wait_until(lambda: triton.cancelled == 1)
