# SPDX-License-Identifier: Apache-2.0
"""A chat that stops naming its session goes on counting with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bls.limits import LIMITS
from client.gateway.chats import Chats
from client.thin import click
from tests.client.fake_script import Sleep, Step, end, start, token
from tests.client.fake_triton import FakeTriton
from tests.client.harness import LiveGateway
from tests.phantom.bridge.test_gateway import Book, ask, book, clicked, gateway, triton

__all__ = ["book", "gateway", "triton"]
pytestmark = pytest.mark.spec("PH-13")


def said(triton: FakeTriton) -> list[tuple[str | None, float | None]]:
    """Session and score of every request that the server got."""
    return [(one.session_id, one.agent_probability) for one in triton.requests]


@pytest.mark.parametrize("left_out", [{}, {"session_id": None}])
def test_leaving_the_session_out_is_no_escape(
    gateway: LiveGateway, triton: FakeTriton, left_out: dict[str, Any]
) -> None:
    ask(gateway, session_id="agent")
    ask(gateway, **left_out)
    assert said(triton) == [("agent", 0.97), ("agent", 0.97)]


def test_its_score_still_moves(gateway: LiveGateway, triton: FakeTriton, book: Book) -> None:
    ask(gateway, session_id="person")

    def script(request: Any) -> Iterator[Step]:
        yield start(request)
        book.scores["person"] = 0.98
        for index in range(400):
            yield token(index, " on")
            if triton.scores:
                break
            yield Sleep(0.01)
        yield end(request, index + 1)

    triton.script = script
    assert ask(gateway).status_code == 200
    assert said(triton)[-1] == ("person", 0.1)
    assert [one.agent_probability for one in triton.scores] == [0.98]


def test_the_worst_of_its_sessions_stands(
    gateway: LiveGateway, triton: FakeTriton, book: Book
) -> None:
    ask(gateway, session_id="agent")
    ask(gateway, session_id="person")
    ask(gateway)
    book.scores.clear()  # both are over
    ask(gateway)
    assert said(triton)[2:] == [("person", 0.97), ("person", 0.97)]


def test_clicks_go_by_the_newest_dial_of_such_a_reply(
    gateway: LiveGateway, book: Book, tmp_path: Path
) -> None:
    book.scores["person"] = 0.92  # the server says 0.9
    ask(gateway, session_id="person")
    ask(gateway)
    click(gateway.url, "conv-1", "req-1", "kite")
    assert clicked(tmp_path)["invalid"] is True


def test_another_chat_and_one_without_a_name_are_nobodys(
    gateway: LiveGateway, triton: FakeTriton
) -> None:
    """The client names its chats: one that takes a new name for each is not known again."""
    ask(gateway, session_id="agent")
    ask(gateway, "conv-2")
    body = {"model": "skynet", "messages": [{"role": "user", "content": "Hello?"}]}
    assert gateway.post(body).status_code == 200
    assert said(triton)[1:] == [(None, None), (None, None)]


def test_a_forgotten_chat_has_no_session(book: Book) -> None:
    chats = Chats(book, most=1)
    chats.remember("c", "agent")
    assert (chats.session("c", None), chats.session("c", "person")) == ("agent", "person")
    chats.remember("other", "person")
    assert chats.session("c", None) is None


def test_a_chat_that_was_long_silent_gives_its_session_to_nobody(book: Book) -> None:
    now = [0.0]
    chats = Chats(book, clock=lambda: now[0])
    chats.remember("1", "agent")
    now[0] = LIMITS.session_idle_s
    assert chats.session("1", None) == "agent"
    chats.remember("1", "agent")  # heard of again
    now[0] += LIMITS.session_idle_s
    assert chats.session("1", None) == "agent"
    now[0] += 1.0
    assert (chats.session("1", None), chats.session("1", "person")) == (None, "person")


def test_a_reply_after_a_long_silence_has_no_session(
    gateway: LiveGateway, triton: FakeTriton, book: Book
) -> None:
    now = [0.0]
    app = gateway._server._app
    chats = Chats(book, clock=lambda: now[0])
    app.state.gateway = dataclasses.replace(gateway.state, chats=chats)
    ask(gateway, "1", session_id="agent")
    now[0] = LIMITS.session_idle_s - 1.0
    ask(gateway, "1")
    now[0] += LIMITS.session_idle_s + 1.0
    ask(gateway, "1")
    assert said(triton) == [("agent", 0.97), ("agent", 0.97), (None, None)]


def test_a_reply_of_a_remembered_session_is_told_like_any(gateway: LiveGateway) -> None:
    named, left_out = ask(gateway, session_id="agent"), ask(gateway)
    assert _receipt(named).keys() == _receipt(left_out).keys()


def _receipt(answer: httpx.Response) -> dict[str, Any]:
    receipt: dict[str, Any] = answer.json()["skynet"]["receipt"]
    return receipt
