# SPDX-License-Identifier: Apache-2.0
"""`POST /v1/events`, `POST /v1/prices`: on disk once, scored, and refused whole with a reason."""

from __future__ import annotations

import time

import pytest

from bls.contracts import AGENT_SCORE
from bls.events.from_line import from_line
from bls.events.schema import decode, encode
from bls.limits import LIMITS
from bls.models.served import served_name
from bls.phantom.lines import EVENTS, PRICES
from bls.settlement.chain import GENESIS, link, split
from tests.phantom.ingest.rig import ITEMS, Shop, event, fault, quote
from tests.phantom.ingest.scorer import SERVED, Scorer

pytestmark = pytest.mark.spec("PH-07")


def test_a_batch_is_on_disk_and_scored_when_it_is_answered(shop: Shop, scorer: Scorer) -> None:
    acts = [
        event("page_view"),
        event("hover_title", item=ITEMS[1], dwell_ms=900),
        event("Search", meta={"q": "a quiet room by the sea"}),
    ]
    answer = shop.tell(*acts, sid="first")
    said = {"accepted": 3, "duplicates": 0, "agent_probability": 0.25}
    assert (answer.status_code, answer.json()) == (200, said)
    found = [line for line in shop.events() if line["session_id"] == "first"]
    assert [line["action"] for line in found] == ["page_view", "hover_title", "search"]
    assert found[2]["raw_action"] == "Search" and found[2]["meta"] == '{"chars":23}'
    assert b"quiet" not in (shop.folder / "logs" / EVENTS).read_bytes()
    assert [line["agent_probability"] for line in found] == [None, None, 0.25]
    assert found[2]["agent_version"] == served_name(SERVED)
    assert scorer.seen[-1] == 3, f"{AGENT_SCORE.name} sees the whole session"
    told = encode(EVENTS, from_line(EVENTS, _line(shop, EVENTS, "first"), "s", 1))
    assert decode(EVENTS, told)["event_id"] == f"first:{acts[0]['event_id']}"


def _line(shop: Shop, stream: str, sid: str) -> bytes:
    path = shop.folder / "logs" / stream
    return next(x for x in path.read_bytes().splitlines() if f'"{sid}"'.encode() in x)


def test_what_is_told_again_is_taken_once(shop: Shop) -> None:
    acts = [event(), event(event_id="same"), event(event_id="same")]
    assert shop.tell(*acts, sid="again").json()["duplicates"] == 1
    answer = shop.tell(*acts, event(), sid="again").json()
    assert (answer["accepted"], answer["duplicates"]) == (1, 3)
    ids = [line["event_id"] for line in shop.events() if line["session_id"] == "again"]
    assert len(ids) == len(set(ids)) == 3
    other = shop.tell(acts[0], sid="again-other").json()
    assert other["accepted"] == 1, "an id is its session's"


def test_a_session_says_what_it_is(shop: Shop) -> None:
    shop.tell(event("add_item", item=ITEMS[2]), event(), sid="one")
    shop.show(quote(), quote(ITEMS[1]), sid="one")
    found = shop.session("one")
    assert (found["events"], found["quotes"], found["mode"]) == (2, 2, "hotel")
    assert found["agent_probability"] == 0.25 and found["label"] == "unknown"
    assert found["agent_version"] == served_name(SERVED)
    book = shop.gateway.state.sessions.book
    assert book.score("one") == 0.25 and book.served("one") == SERVED
    assert book.demand("one") == {ITEMS[2]: 80.0, ITEMS[0]: 20.0}
    assert book.quotes_of("one", ITEMS[1]) == 1 and book.events_of("one") == 2
    listed = shop.get("/v1/sessions")
    assert listed["live"] >= 1 and listed["sessions"][0]["session_id"] == "one"
    missing = shop.http.get("/v1/sessions/nobody")
    assert fault(missing) == (404, "unknown_session", "session_id")
    assert fault(shop.http.get("/v1/sessions/no%20body"))[1] == "invalid_value"


def test_prices_are_recorded_with_their_base(shop: Shop) -> None:
    shown = [quote(), quote(ITEMS[1], price_micros=_floor(ITEMS[1]))]
    assert shop.show(*shown, sid="priced").json() == {"accepted": 2, "duplicates": 0}
    assert shop.show(*shown, sid="priced").json() == {"accepted": 0, "duplicates": 2}
    found = [line for line in shop.prices() if line["session_id"] == "priced"]
    assert [line["price_micros"] for line in found] == [one["price_micros"] for one in shown]
    assert found[0]["base_micros"] == shown[0]["price_micros"]
    assert (found[0]["policy"], found[0]["currency"]) == ("", "EUR")
    raw = _line(shop, PRICES, "priced")
    told = decode(PRICES, encode(PRICES, from_line(PRICES, raw, "s", 1)))
    assert told["event_id"] == f"priced:{shown[0]['quote_id']}"


def _floor(item: str) -> int:
    from bls.phantom.shop import catalogue  # noqa: PLC0415

    return catalogue("hotel").items[item].floor_micros


def test_both_streams_are_chained(shop: Shop) -> None:
    shop.tell(event(), sid="chained")
    for stream in (EVENTS, PRICES):
        chain = GENESIS
        for line in (shop.folder / "logs" / stream).read_bytes().splitlines():
            parts = split(line)
            assert parts is not None
            chain = link(chain, parts[0])
            assert parts[1] == chain


def test_a_model_that_is_away_or_slow_leaves_the_last_score(shop: Shop, scorer: Scorer) -> None:
    scorer.says = None
    assert shop.tell(event(), sid="unscored").json()["agent_probability"] is None
    scorer.says = 0.75
    assert shop.tell(event(), sid="unscored").json()["agent_probability"] == 0.75
    scorer.says, scorer.pause_s = 0.125, 60.0
    desk = shop.gateway.state.sessions
    desk.score_timeout_s, patient = LIMITS.score_timeout_s, desk.score_timeout_s
    try:
        answer = shop.tell(event(), sid="unscored")
    finally:
        desk.score_timeout_s = patient
    assert answer.status_code == 200 and answer.json()["agent_probability"] == 0.75
    live = desk.book.get("unscored")
    assert live is not None and live.unscored_since == live.heard
    scorer.pause_s = 0.0
    shop.tell(event(event_id="last"), sid="unscored")
    assert live.unscored_since == 0.0
    found = [x["agent_probability"] for x in shop.events() if x["session_id"] == "unscored"]
    assert found == [None, 0.75, None, 0.125], "a score is told only of just after its act"


@pytest.mark.parametrize("said", [float("nan"), -0.5, 1.5])
def test_what_is_no_probability_is_no_score(shop: Shop, scorer: Scorer, said: float) -> None:
    scorer.says = said
    assert shop.tell(event(), sid=f"odd-{said}").json()["agent_probability"] is None


BAD = [
    ({"action": "view_item", "item": None}, "missing_field", "item"),
    ({"item": "no-such-item"}, "unknown_item", "item"),
    ({"action": "search", "item": ITEMS[0]}, "invalid_value", "item"),
    ({"dwell_ms": 5}, "invalid_value", "dwell_ms"),
    ({"action": "hover_title", "dwell_ms": 86_400_001}, "invalid_value", "dwell_ms"),
    ({"action": "hover_title", "dwell_ms": -1}, "invalid_value", "dwell_ms"),
    ({"action": "<script>"}, "invalid_value", "action"),
    ({"event_id": "two words"}, "invalid_value", "event_id"),
    ({"event_id": "~1"}, "invalid_value", "event_id"),
    ({"ts_ms": 1.5}, "invalid_value", "ts_ms"),
    ({"surprise": 1}, "unknown_field", "surprise"),
    ({"meta": {"q": "sea"}}, "unknown_field", "meta.q"),
    ({"action": "search", "meta": {"words": "sea"}}, "unknown_field", "meta.words"),
    ({"action": "search", "meta": {"q": "x" * 257}}, "invalid_value", "meta.q"),
    ({"action": "sort", "meta": {"by": "luck"}}, "invalid_value", "meta.by"),
    ({"action": "filter_date", "meta": {"start": "soon"}}, "invalid_value", "meta.start"),
    ({"action": "filter_price", "meta": {"facet": "city"}}, "invalid_value", "meta.facet"),
    (
        {"action": "filter_price", "meta": {"facet": "city", "value": "my street"}},
        "invalid_value",
        "meta.facet",
    ),
]


@pytest.mark.parametrize(("change", "code", "where"), BAD)
def test_one_bad_event_refuses_the_batch(
    shop: Shop, change: dict[str, object], code: str, where: str
) -> None:
    bad = {k: v for k, v in (event() | change).items() if v is not None}
    if change.get("action") in ("search", "sort", "filter_date", "filter_price"):
        bad = {k: v for k, v in bad.items() if k != "item" or "item" in change}
    answer = shop.tell(event(), event("page_view"), bad, sid="refused")
    assert fault(answer) == (400, code, f"events.2.{where}")
    assert "refused" not in {line["session_id"] for line in shop.events()}
    assert shop.http.get("/v1/sessions/refused").status_code == 404


@pytest.mark.parametrize(
    ("action", "meta", "kept"),
    [
        ("sort", {"by": "price"}, '{"by":"price"}'),
        ("filter_price", {"max_price_micros": 90}, '{"max_price_micros":90}'),
        ("filter_city", {"facet": "city", "value": "Lisbon"}, '{"facet":"city","value":"Lisbon"}'),
        ("filter_date", {"start": "2026-12-01"}, '{"start":"2026-12-01"}'),
        ("search", {"q": "x" * 256}, '{"chars":256}'),
    ],
)
def test_facts_of_an_act(shop: Shop, action: str, meta: dict[str, object], kept: str) -> None:
    told = event(action, meta=meta)
    assert shop.tell(told, sid="facts").status_code == 200
    (line,) = [x for x in shop.events() if x["event_id"] == told["event_id"]]
    assert line["meta"] == kept


def test_an_act_of_another_name_is_the_nearest_one(shop: Shop) -> None:
    told = [event("hover over paragraph", event_id="n-1"), event("wish", event_id="n-2")]
    told[0]["item"] = ITEMS[0]
    assert shop.tell(*told, sid="names").status_code == 200
    found = {x["event_id"]: (x["action"], x["raw_action"]) for x in shop.events()}
    assert found["n-1"] == ("hover_title", "hover over paragraph")
    assert found["n-2"] == ("page_view", "wish")


@pytest.mark.parametrize("off_s", [-LIMITS.event_age_s - 60, LIMITS.event_ahead_s + 60])
def test_a_clock_that_is_far_off(shop: Shop, off_s: float) -> None:
    ts_ms = int((time.time() + off_s) * 1000)
    code = "too_old" if off_s < 0 else "in_the_future"
    assert fault(shop.tell(event(ts_ms=ts_ms))) == (400, code, "events.0.ts_ms")
    assert fault(shop.show(quote(ts_ms=ts_ms))) == (400, code, "quotes.0.ts_ms")


@pytest.mark.parametrize("off_s", [-LIMITS.event_age_s + 60, LIMITS.event_ahead_s - 1])
def test_a_clock_that_is_a_little_off(shop: Shop, off_s: float) -> None:
    assert shop.tell(event(ts_ms=int((time.time() + off_s) * 1000)), sid="late").is_success


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [
        ({"item": "no-such-item"}, "unknown_item", "item"),
        ({"price_micros": _floor(ITEMS[0]) - 1}, "price_out_of_bounds", "price_micros"),
        ({"price_micros": 10**15}, "price_out_of_bounds", "price_micros"),
        ({"price_micros": 0}, "invalid_value", "price_micros"),
        ({"quote_id": ""}, "invalid_value", "quote_id"),
    ],
)
def test_one_bad_price_refuses_the_batch(
    shop: Shop, change: dict[str, object], code: str, where: str
) -> None:
    answer = shop.show(quote(), quote() | change, sid="bad-price")
    assert fault(answer) == (400, code, f"quotes.1.{where}")
    assert "bad-price" not in {line["session_id"] for line in shop.prices()}


def test_a_session_keeps_its_mode(shop: Shop) -> None:
    shop.tell(event(), sid="moded")
    answer = shop.tell(event("page_view"), sid="moded", mode="airline")
    assert fault(answer) == (409, "mode_fixed", "mode")
    assert fault(shop.tell(event(), mode="boats"))[1] == "invalid_value"


def test_what_the_gateway_counts(shop: Shop) -> None:
    shop.tell(event(event_id="counted"), sid="counted")
    shop.tell(event(event_id="counted"), sid="counted")
    shop.tell(event("<"), sid="counted")
    text = shop.http.get("/metrics").text
    for outcome in ("done", "duplicate", "invalid_value"):
        (line,) = [
            x
            for x in text.splitlines()
            if x.startswith(f'phantom_told_total{{outcome="{outcome}",stream="{EVENTS}"}}')
        ]
        assert float(line.split()[-1]) >= 1
    assert "phantom_live_sessions" in text
