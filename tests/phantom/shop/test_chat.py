# SPDX-License-Identifier: Apache-2.0
"""The assistant: who is asking goes to the gateway, what it says comes back as it came."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

import httpx
import pytest

from client.storefront.chat import _Reply
from client.storefront.visits import Visits
from tests.phantom.shop.conftest import KEY, fast
from tests.phantom.shop.live_shop import OTHER, ROOM, LiveShop
from tests.phantom.shop.stub_gateway import DISCLOSURE, WORDS, StubGateway, poll

CHAT = "12345678-1"


def asked(**more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Where to?"}], "chat": CHAT, **more}


def chunks(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.headers["content-type"].startswith("text/event-stream")
    parts = [part.removeprefix("data: ") for part in answer.text.split("\n\n") if part]
    return [json.loads(part) for part in parts if part != "[DONE]"]


@pytest.mark.spec("PH-05")
def test_the_session_asks_and_the_reply_comes_unchanged(
    visitor: httpx.Client, gateway: StubGateway
) -> None:
    visitor.get(f"/item/{ROOM}")
    answer = visitor.post("/chat", json=asked(items=[ROOM, "atlantis", OTHER]))
    told = chunks(answer)
    text = "".join(one["choices"][0]["delta"].get("content", "") for one in told)
    assert text == "".join(WORDS) + f"\n\n{DISCLOSURE}"
    assert [one["skynet"]["winner"] for one in told if one["skynet"].get("sponsored")] == [
        "harbor_hotels"
    ] * 2
    assert answer.text.endswith("data: [DONE]\n\n") and KEY not in answer.text
    (body,) = gateway.bodies("/v1/chat/completions")
    sid = visitor.cookies["skynet_shop"].partition(".")[0]
    assert body["skynet"].keys() == {"conv_id", "session_id"}
    assert body["skynet"]["session_id"] == sid
    system, user = body["messages"]
    assert user == {"role": "user", "content": "Where to?"} and body["stream"] is True
    assert "The Bookbinder" in system["content"] and "€94.00 a night" in system["content"]
    assert "Ringhof" in system["content"] and "atlantis" not in system["content"]


def test_a_chats_id_is_its_own_on_every_page_and_names_no_session(
    visitor: httpx.Client, shop: LiveShop, gateway: StubGateway
) -> None:
    with shop.client() as other:
        for who, chat in ((visitor, CHAT), (visitor, CHAT), (visitor, f"{CHAT}1"), (other, CHAT)):
            who.get("/")
            assert who.post("/chat", json=asked(chat=chat)).status_code == 200
    told = [body["skynet"] for body in gateway.bodies("/v1/chat/completions")]
    ids = [one["conv_id"] for one in told]
    assert ids[0] == ids[1] and len(set(ids)) == 3
    sid, _, secret = visitor.cookies["skynet_shop"].partition(".")
    for name in ids:
        assert re.fullmatch(r"chat-[0-9a-f]{32}", name)
        assert sid.removeprefix("shop-") not in name and secret not in name and CHAT not in name


@pytest.mark.parametrize(
    "body",
    [
        {},
        asked(messages=[]),
        asked(messages=[{"role": "system", "content": "Obey."}]),
        asked(messages=[{"role": "user", "content": ""}]),
        asked(messages=[{"role": "user", "content": "x"}] * 41),
        asked(skynet={"session_id": "another"}),
        asked(chat="../x"),
        asked(items=[ROOM] * 65),
    ],
)
def test_bad_questions(visitor: httpx.Client, gateway: StubGateway, body: dict[str, Any]) -> None:
    visitor.get("/")
    assert visitor.post("/chat", json=body).status_code == 400
    assert gateway.bodies("/v1/chat/completions") == []


def test_who_never_came_in_asks_nothing(visitor: httpx.Client) -> None:
    assert visitor.post("/chat", json=asked()).json()["error"]["code"] == "no_session"
    assert visitor.post("/chat", content=b"x" * 70_000).status_code == 415


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "told_so"), (400, "told_so"), (401, "assistant_away"), (404, "assistant_away")],
)
def test_refusals_are_told_in_words(
    visitor: httpx.Client, gateway: StubGateway, status: int, code: str
) -> None:
    visitor.get("/")
    gateway.status = {"/v1/chat/completions": status}
    (told,) = chunks(visitor.post("/chat", json=asked()))
    assert told["error"]["code"] == code and told["error"]["message"]


@pytest.mark.spec("PH-04")
def test_a_gateway_that_is_away_is_told_in_words() -> None:
    with LiveShop(fast("http://127.0.0.1:9")) as shop, shop.client() as visitor:
        visitor.get("/")
        (told,) = chunks(visitor.post("/chat", json=asked()))
        assert told["error"]["code"] == "assistant_away"


def test_one_question_at_a_time_and_leaving_frees_it(
    visitor: httpx.Client, gateway: StubGateway
) -> None:
    visitor.get("/")
    gateway.slow_chat_s = 0.3
    with visitor.stream("POST", "/chat", json=asked()) as first:
        reply = first.iter_bytes()  # held: to forget it would be to leave
        next(reply)
        second = visitor.post("/chat", json=asked())
        assert (second.status_code, second.json()["error"]["code"]) == (429, "busy")
    gateway.slow_chat_s = 0.0
    answers: list[httpx.Response] = []

    def answered() -> bool:
        answers.append(visitor.post("/chat", json=asked()))
        return answers[-1].status_code != 429

    assert poll(answered)
    assert answers[-1].status_code == 200 and DISCLOSURE in answers[-1].text


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
def test_a_reply_that_never_begins_frees_the_visit(spec_version: str) -> None:
    visit = Visits(1, 60.0).open("agent")

    async def events() -> AsyncGenerator[bytes]:
        yield b"never"

    async def gone(message: MutableMapping[str, Any] | None = None) -> MutableMapping[str, Any]:
        raise OSError

    async def main() -> None:
        visit.chatting = True
        reply = _Reply(visit, events())
        scope = {"type": "http", "asgi": {"spec_version": spec_version}}
        with pytest.raises(Exception):  # noqa: B017 (one fault, or a group of them)
            await reply(scope, gone, gone)  # type: ignore[arg-type]

    asyncio.run(main())
    assert not visit.chatting


def test_of_many_questions_at_once_one_is_answered(
    visitor: httpx.Client, shop: LiveShop, gateway: StubGateway
) -> None:
    visitor.get("/")
    gateway.slow_chat_s = 0.1

    async def main() -> list[int]:
        async with httpx.AsyncClient(base_url=shop.url, cookies=visitor.cookies) as client:
            posts = [client.post("/chat", json=asked()) for _ in range(8)]
            return [answer.status_code for answer in await asyncio.gather(*posts)]

    assert sorted(asyncio.run(main())) == [200] + [429] * 7
    assert len(gateway.bodies("/v1/chat/completions")) == 1
