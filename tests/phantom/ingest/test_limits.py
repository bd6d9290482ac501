# SPDX-License-Identifier: Apache-2.0
"""Every limit of a session's requests, at it and one past it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.phantom.book import SessionBook, ToldEvent, ToldQuote
from bls.phantom.features import SessionFeatures
from bls.phantom.live import LiveSession, Standing
from bls.phantom.past import Past, Was
from bls.phantom.seen import Seen
from bls.phantom.session import Quote, SessionEvent
from client.limiter import Limiter
from tests.phantom.ingest.rig import ITEMS, Shop, event, fault, open_shop, quote

pytestmark = pytest.mark.spec("PH-13")

SMALL = dataclasses.replace(
    LIMITS, session_events=3, sessions=2, session_idle_s=10.0, events_remembered=4
)


class Clock:
    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(clock: Clock) -> SessionBook:
    return SessionBook(SMALL, clock)


def act(name: str, item: str = ITEMS[0]) -> ToldEvent:
    return ToldEvent(name, SessionEvent("view_item", item, 10**12))


def price(name: str) -> ToldQuote:
    return ToldQuote(name, Quote(ITEMS[0], 10**8, 10**12))


def test_events_of_a_request(shop: Shop) -> None:
    most = [event() for _ in range(LIMITS.events_per_request)]
    assert shop.tell(*most, sid="most").json()["accepted"] == LIMITS.events_per_request
    assert fault(shop.tell(*most, event(), sid="most")) == (400, "too_many", "events")
    assert fault(shop.tell(sid="most")) == (400, "empty", "events")


def test_prices_of_a_request(shop: Shop) -> None:
    most = [quote() for _ in range(LIMITS.quotes_per_request)]
    assert shop.show(*most, sid="most").json()["accepted"] == LIMITS.quotes_per_request
    assert fault(shop.show(*most, quote(), sid="most")) == (400, "too_many", "quotes")


def test_a_session_that_asks_too_often(shop: Shop) -> None:
    """Within one moment: as many as a second's worth, and not one more."""
    desk, most = shop.gateway.state.sessions, LIMITS.session_requests_per_s
    before, desk.per_session = desk.per_session, Limiter(most, clock=lambda: 0.0)
    try:
        answers = [shop.tell(event(), sid="busy") for _ in range(most + 1)]
        assert [answer.is_success for answer in answers] == [True] * most + [False]
        assert fault(answers[-1]) == (429, "rate_limited", None)
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert fault(shop.show(quote(), sid="busy"))[1] == "rate_limited"
        assert shop.tell(event(), sid="calm").is_success
    finally:
        desk.per_session = before


def test_an_address_that_asks_too_often(shop: Shop) -> None:
    desk = shop.gateway.state.sessions
    before, desk.per_address = desk.per_address, Limiter(0.5)
    try:
        assert fault(shop.tell(event(), sid="anybody")) == (429, "rate_limited", None)
    finally:
        desk.per_address = before


def test_the_key_is_asked_for(tmp_path: Path) -> None:
    with open_shop("127.0.0.1:1", tmp_path, api_key="secret-key") as shop:
        for path in ("/v1/events", "/v1/prices", "/v1/sessions/s-1/label"):
            assert fault(shop.post(path, {}))[:2] == (401, "invalid_api_key")
        assert shop.http.get("/v1/sessions").status_code == 401
        body = {"session_id": "s-1", "mode": "hotel", "events": [event()]}
        allowed = shop.post("/v1/events", body, authorization="Bearer secret-key")
        assert allowed.json() == {"accepted": 1, "duplicates": 0, "agent_probability": None}


def test_without_a_folder_nothing_is_taken(tmp_path: Path) -> None:
    with open_shop("127.0.0.1:1", tmp_path, logs=None) as shop:
        assert fault(shop.tell(event())) == (503, "sessions_stalled", None)


def test_a_full_session(book: SessionBook) -> None:
    book.apply("s", "hotel", [act("1"), act("2")])
    with pytest.raises(SkynetError) as caught:
        book.apply("s", "hotel", [act("3"), act("4")])
    assert (caught.value.code, caught.value.status) == ("session_full", 409)
    assert book.events_of("s") == 2, "all or none"
    assert book.apply("s", "hotel", [act("2"), act("3")]).accepted == (1,)
    assert book.apply("s", "hotel", [act("1"), act("3")]).duplicates == 2
    book.quoted("s", "hotel", [price(str(number)) for number in range(3)])
    with pytest.raises(SkynetError):
        book.quoted("s", "hotel", [price("3")])


def test_the_longest_idle_session_makes_room(book: SessionBook) -> None:
    for sid in ("a", "b"):
        book.apply(sid, "hotel", [act("1")])
    book.apply("a", "hotel", [act("2")])
    book.apply("c", "hotel", [act("1")])
    assert [session.sid for session in book.sessions()] == ["c", "a"]
    assert (len(book), book.forgotten) == (2, 1)


def test_an_idle_session_is_forgotten(book: SessionBook, clock: Clock) -> None:
    book.apply("a", "hotel", [act("1")])
    clock.now += SMALL.session_idle_s
    assert book.events_of("a") == 1
    clock.now += 0.1
    assert book.get("a") is None and book.score("a") is None and book.demand("a") == {}
    assert (book.events_of("a"), book.quotes_of("a", ITEMS[0]), book.served("a")) == (0, 0, 0)
    assert book.apply("a", "hotel", [act("1")]).duplicates == 1, "its events are known still"
    assert book.events_of("a") == 0 and book.sessions()[0].sid == "a"


def test_ids_are_remembered_in_bounded_memory() -> None:
    seen = Seen(3, 100.0)
    for number in range(4):
        seen.note("event", "s", str(number), float(number))
    assert len(seen) == 3 and not seen.knows("event", "s", "0") and seen.knows("event", "s", "3")
    assert not seen.knows("quote", "s", "3") and not seen.knows("event", "t", "3")
    seen.note("event", "s", "9", 500.0)
    assert len(seen) == 1


def test_sessions_that_are_over_are_remembered_in_bounded_memory() -> None:
    past = Past(2, 100.0)
    for number in range(3):
        sid = f"s-{number}"
        session = LiveSession(sid, "hotel", 0, float(number), SessionFeatures())
        session.experiment, session.condition = "one", sid
        past.note(session)
    assert len(past) == 2 and past.get("s-0", "hotel") is None
    assert past.get("s-2", "hotel") == Was("one", "s-2", Standing(), False)
    assert past.get("s-2", "airline") is None
    past.drop(101.5)
    assert len(past) == 1
    past.drop(500.0)
    assert not len(past)


def test_no_more_lines_wait_than_may(tmp_path: Path) -> None:
    from bls.settlement.spool import Spool  # noqa: PLC0415

    spool = Spool(tmp_path, ("session.events",), "sessions.lock", waiting=2)
    assert spool.has_room(2) and not spool.has_room(3)
    spool.add([("session.events", b"{}"), ("session.events", b"{}")])
    assert not spool.has_room()
    spool.close()
