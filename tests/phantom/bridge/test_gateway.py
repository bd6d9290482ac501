# SPDX-License-Identifier: Apache-2.0
"""The gateway: it alone knows f(tau), tells the server, and flags clicks by it."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from bls.errors import SkynetError
from bls.events.from_line import from_line
from bls.events.schema import decode, encode
from bls.phantom.features import SessionFeatures
from bls.phantom.lines import EVENTS, act_line
from bls.phantom.live import LiveSession
from bls.phantom.session import SessionEvent
from bls.request import is_score, is_update, parse_request, parse_score
from bls.settlement.clicks import CLICKS
from client.gateway.chats import Chats
from client.gateway.settings import GatewaySettings
from client.thin import click
from tests.client.fake_script import Sleep, Step, end, start, token
from tests.client.fake_triton import FakeTriton, wait_until
from tests.client.harness import LiveGateway, chat


@dataclass
class Book:
    """Scores by session, as a test says."""

    scores: dict[str, float | None] = field(default_factory=dict)

    def score(self, sid: str, /) -> float | None:
        return self.scores.get(sid)


@pytest.fixture
def book() -> Book:
    return Book({"person": 0.1, "agent": 0.97, "broken": float("nan")})


@pytest.fixture
def triton() -> Iterator[FakeTriton]:
    with FakeTriton() as fake:
        yield fake


@pytest.fixture
def gateway(triton: FakeTriton, book: Book, tmp_path: Path) -> Iterator[LiveGateway]:
    with LiveGateway(GatewaySettings(triton=triton.address, logs=tmp_path)) as live:
        app = live._server._app
        app.state.gateway = dataclasses.replace(live.state, chats=Chats(book))
        yield live


def ask(gateway: LiveGateway, conv_id: str = "conv-1", **skynet: Any) -> httpx.Response:
    return gateway.post(chat(skynet={"conv_id": conv_id, **skynet}))


def clicked(tmp_path: Path) -> dict[str, Any]:
    """The newest click, as its event."""
    line = (tmp_path / CLICKS).read_bytes().splitlines()[-1]
    assert b"session" not in line
    return decode(CLICKS, encode(CLICKS, from_line(CLICKS, line, "s", 1)))


@pytest.mark.spec("PH-13")
@pytest.mark.parametrize(
    ("session", "score"), [("person", 0.1), ("agent", 0.97), ("unknown", None), ("broken", None)]
)
def test_a_chats_session_is_resolved(
    gateway: LiveGateway, triton: FakeTriton, session: str, score: float | None
) -> None:
    assert ask(gateway, session_id=session).status_code == 200
    (request,) = triton.requests
    assert (request.session_id, request.agent_probability) == (session, score)
    assert not triton.scores  # it did not move


def test_without_a_session_nothing_is_sent(gateway: LiveGateway, triton: FakeTriton) -> None:
    assert ask(gateway).status_code == 200
    assert "agent_probability" not in triton.requests[0].model_dump_json(exclude_none=True)


@pytest.mark.spec("PH-13")
@pytest.mark.parametrize("inside", [True, False])
def test_nobody_tells_a_score_of_its_own(
    gateway: LiveGateway, triton: FakeTriton, inside: bool
) -> None:
    told = {"agent_probability": 0.0}
    body = chat(skynet={"session_id": "agent", **told}) if inside else chat(**told)
    error = gateway.post(body).json()["error"]
    where = "skynet.agent_probability" if inside else "agent_probability"
    assert (error["code"], error["param"]) == ("unknown_field", where)
    line = {"conv_id": "c", "request_id": "r", "advertiser": "a", "clicks": 1, "dwell_ms": 1}
    refused = httpx.post(f"{gateway.url}/v1/clicks", json=line | told)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "agent_probability"
    assert not triton.requests


@pytest.mark.parametrize("session", ["", "a b", "x" * 129, 7])
def test_a_session_is_an_identifier(gateway: LiveGateway, session: object) -> None:
    answer = ask(gateway, session_id=session)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "skynet.session_id"


@pytest.mark.spec("PH-12")
def test_a_score_that_moves_is_told_while_the_reply_is_written(
    gateway: LiveGateway, triton: FakeTriton, book: Book
) -> None:
    def script(request: Any) -> Iterator[Step]:
        yield start(request)
        yield token(0, "Try")
        book.scores["person"] = 0.98
        for index in range(1, 400):
            yield token(index, " on")
            if triton.scores:
                break
            yield Sleep(0.01)
        yield end(request, index + 1)

    triton.script = script
    assert ask(gateway, session_id="person").status_code == 200
    assert triton.requests[0].agent_probability == 0.1
    assert [one.agent_probability for one in triton.scores] == [0.98]
    assert triton.scores[0].conv_id == "conv-1"


def test_a_server_that_takes_no_scores_harms_no_reply(
    gateway: LiveGateway, triton: FakeTriton, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(request: Any) -> Iterator[Step]:
        yield start(request)
        book.scores["person"] = 0.98
        for index in range(20):
            yield token(index, " on")
            yield Sleep(0.005)
        yield end(request, 20)

    triton.script = script
    monkeypatch.setattr(gateway.state.triton, "update", _refuses)
    answer = ask(gateway, session_id="person")
    assert answer.status_code == 200 and answer.json()["skynet"]["receipt"]["total_micros"] == 250


async def _refuses(*asked: object) -> Any:
    raise SkynetError("conversation_not_found", "No such reply is being written.", 404)


@pytest.mark.spec("PH-13")
def test_a_click_is_flagged_by_the_chats_session(
    gateway: LiveGateway, book: Book, tmp_path: Path
) -> None:
    ask(gateway, session_id="person")
    click(gateway.url, "conv-1", "req-1", "kite")
    event = clicked(tmp_path)
    assert (event["agent_probability"], event["invalid"]) == (0.1, False)
    book.scores["person"] = 0.92  # above the dial that the server said: 0.9
    click(gateway.url, "conv-1", "req-1", "kite")
    event = clicked(tmp_path)
    assert (event["agent_probability"], event["invalid"]) == (0.92, True)
    book.scores.clear()  # the session is over: its last score stands
    click(gateway.url, "conv-1", "req-1", "kite")
    assert clicked(tmp_path)["invalid"] is True


@pytest.mark.spec("PH-14")
def test_a_click_of_nobody_is_as_before(gateway: LiveGateway, tmp_path: Path) -> None:
    ask(gateway)
    click(gateway.url, "conv-1", "req-1", "kite")
    line = json.loads((tmp_path / CLICKS).read_bytes())
    assert not {"agent_probability", "invalid", "session_id"} & line.keys()
    event = clicked(tmp_path)
    assert (event["agent_probability"], event["invalid"]) == (-1.0, False)


def test_a_click_may_name_its_session(gateway: LiveGateway, tmp_path: Path) -> None:
    click(gateway.url, "conv-9", "req-1", "kite", session_id="agent")
    assert (clicked(tmp_path)["agent_probability"], clicked(tmp_path)["invalid"]) == (0.97, True)
    click(gateway.url, "conv-9", "req-1", "kite", session_id="unknown")
    assert clicked(tmp_path)["agent_probability"] == -1.0


@pytest.mark.spec("PH-13")
def test_a_gateway_that_starts_again_knows_whose_chats_are(
    triton: FakeTriton, tmp_path: Path
) -> None:
    """Nothing asks for the sessions first: the chat, or the click, is what comes first."""
    now = time.time()
    session = LiveSession("agent", "hotel", int(now * 1000), now, SessionFeatures())
    session.scored(0.97, 1)
    act = SessionEvent("page_view", "", int(now * 1000), 0)
    line = act_line(session, now, "e-1", act, raw_action="page_view", meta="", scored=True)
    (tmp_path / EVENTS).write_bytes(line + b"\n")
    settings = GatewaySettings(triton=triton.address, logs=tmp_path)
    for first in (True, False):
        with LiveGateway(settings) as live:
            if first:
                assert ask(live, session_id="agent").status_code == 200
            else:
                click(live.url, "conv-9", "req-1", "kite", session_id="agent")
    assert [one.agent_probability for one in triton.requests] == [0.97]
    assert clicked(tmp_path)["agent_probability"] == 0.97


def test_a_book_that_cannot_be_made_again_stops_no_chat(triton: FakeTriton, tmp_path: Path) -> None:
    (tmp_path / EVENTS).mkdir()
    with LiveGateway(GatewaySettings(triton=triton.address, logs=tmp_path)) as live:
        assert ask(live, session_id="agent").status_code == 200
    assert triton.requests[0].agent_probability is None


@pytest.mark.spec("PH-13")
def test_naming_another_session_never_helps(book: Book) -> None:
    chats = Chats(book)
    chats.remember("c", "agent", 0.9)
    assert chats.judge("c", "person") == (0.97, True)
    chats.remember("c", "person")  # the chat moves to a clean session
    assert chats.judge("c", None) == (0.97, True)
    assert chats.judge("other", "person") == (0.1, False)


@pytest.mark.spec("PH-13")
def test_naming_another_session_helps_no_reply(
    gateway: LiveGateway, triton: FakeTriton, book: Book
) -> None:
    ask(gateway, session_id="agent")
    ask(gateway, session_id="person")
    book.scores.clear()  # nobody is known any more: the chat's memory stands
    ask(gateway, session_id="person")
    ask(gateway, session_id="new")
    ask(gateway, "conv-2", session_id="new")
    said = [(one.session_id, one.agent_probability) for one in triton.requests]
    assert said == [
        ("agent", 0.97),
        ("person", 0.97),
        ("person", 0.97),
        ("new", 0.97),
        ("new", None),
    ]
    assert not triton.scores, "what is told while a reply is written goes by the same memory"


def test_what_is_remembered_is_bounded(book: Book) -> None:
    chats = Chats(book, most=2)
    for number in range(3):
        chats.remember(f"c{number}", "agent")
    assert chats.judge("c0", None) == (None, False)
    assert chats.judge("c2", None) == (0.97, True)


def test_a_score_update_is_no_reply_and_no_bid() -> None:
    told = {"request_id": "r", "conv_id": "c", "agent_probability": 0.5}
    raw = json.dumps(told).encode()
    assert is_score(raw) and not is_update(raw) and parse_score(raw).agent_probability == 0.5
    reply = told | {"messages": [{"role": "user", "content": "hi"}], "session_id": "s"}
    assert not is_score(json.dumps(reply).encode())
    assert parse_request(json.dumps(reply).encode()).agent_probability == 0.5
    del reply["session_id"]
    with pytest.raises(SkynetError):
        parse_request(json.dumps(reply).encode())
    for wrong in (1.1, -0.1, "1", None):
        with pytest.raises(SkynetError):
            parse_score(json.dumps(told | {"agent_probability": wrong}).encode())


def test_the_slot_is_free_after_a_reply_with_a_session(gateway: LiveGateway) -> None:
    ask(gateway, session_id="agent")
    assert wait_until(lambda: gateway.state.slots.live == 0)
