# SPDX-License-Identifier: Apache-2.0
"""Campaigns over HTTP: who may, what is stored, what is refused and why."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from bls.ads import advertisers
from bls.ads.database import open_database
from bls.ads.ledger import Ledger
from bls.ads.migrate import migrate
from bls.ads.store import AdStore
from bls.contracts import Verdict
from bls.guard.ruling import UNJUDGED, Ruling
from bls.limits import LIMITS
from client.gateway.settings import GatewaySettings
from tests.client.fake_triton import FakeTriton, wait_until
from tests.client.harness import LiveGateway

KEY = "operator-key"
BOOTS = {"campaign_id": "boots", "advertiser": "alpine", "brand": "Alpine", "bid": 0.5}


def guard(text: str) -> Ruling:
    if "loan" in text:
        return Ruling(Verdict.BLOCKED, "pressure", 0.9)
    if "puzzle" in text:
        return Ruling(Verdict.BLOCKED, UNJUDGED)
    return Ruling()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ads")


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{folder}/skynet.db")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def keys(engine: Engine) -> dict[str, str]:
    return {name: advertisers.add(engine, name) for name in ("alpine", "harbor")}


@pytest.fixture(scope="module")
def triton() -> Iterator[FakeTriton]:
    with FakeTriton(guard=guard) as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(triton: FakeTriton, engine: Engine, keys: dict[str, str]) -> Iterator[LiveGateway]:
    url = str(engine.url)
    with LiveGateway(GatewaySettings(triton=triton.address, api_key=KEY, database=url)) as live:
        yield live


class Api:
    """Requests with one key."""

    def __init__(self, gateway: LiveGateway, key: str | None) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self.http = httpx.Client(base_url=gateway.url, headers=headers, verify=False)

    def get(self, path: str) -> httpx.Response:
        return self.http.get(path)

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(path, json=body, headers=sent)

    def creatives(self, **texts: str) -> httpx.Response:
        given = [
            {"msg_id": f"alpine.{name}", "campaign_id": "boots", "text": text}
            for name, text in texts.items()
        ]
        return self.post("/creatives", {"creatives": given})


@pytest.fixture
def operator(gateway: LiveGateway) -> Api:
    return Api(gateway, KEY)


@pytest.fixture
def alpine(gateway: LiveGateway, keys: dict[str, str], operator: Api) -> Api:
    assert operator.post("/campaigns", BOOTS).status_code == 201
    return Api(gateway, keys["alpine"])


@pytest.fixture
def harbor(gateway: LiveGateway, keys: dict[str, str]) -> Api:
    return Api(gateway, keys["harbor"])


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["error"]["code"])


PATHS = ("/budget/alpine", "/campaigns", "/creatives", "/creatives/m1")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", [None, "wrong", advertisers.PREFIX + "x" * 43])
def test_a_key_is_asked_for(gateway: LiveGateway, path: str, key: str | None) -> None:
    assert error(Api(gateway, key).get(path)) == (401, "invalid_api_key")


def test_nobody_touches_what_is_anothers(alpine: Api, harbor: Api) -> None:
    assert alpine.creatives(mine="Sell boots.").status_code == 201
    answers = [
        harbor.get("/budget/alpine"),
        harbor.post("/budget/alpine", {"daily_micros": 1}, idempotency_key="k"),
        harbor.post("/campaigns", BOOTS),
        harbor.creatives(theirs="Sell boots."),
        harbor.get("/creatives/alpine.mine"),
        harbor.http.delete("/creatives/alpine.mine"),
    ]
    assert [error(answer) for answer in answers] == [(403, "forbidden")] * len(answers)
    taken = harbor.post("/campaigns", {**BOOTS, "advertiser": "harbor"})
    assert error(taken) == (409, "campaign_taken")
    assert harbor.get("/campaigns").json() == {"campaigns": [], "next_after": None}
    assert harbor.get("/creatives").json() == {"creatives": [], "next_after": None}


def test_a_key_ends(gateway: LiveGateway, engine: Engine) -> None:
    first = advertisers.add(engine, "brief")
    second = advertisers.new_key(engine, "brief")
    assert error(Api(gateway, first).get("/campaigns")) == (401, "invalid_api_key")
    assert Api(gateway, second).get("/campaigns").status_code == 200
    advertisers.revoke(engine, "brief")
    assert error(Api(gateway, second).get("/campaigns")) == (401, "invalid_api_key")


def test_campaigns(alpine: Api, operator: Api) -> None:
    body = {**BOOTS, "category": "outdoors", "cpm_micros": 2_000_000, "frequency_cap": 2}
    del body["advertiser"]
    stored = alpine.post("/campaigns", body).json()
    assert (stored["advertiser"], stored["status"]) == ("alpine", "active")
    assert alpine.get("/campaigns").json()["campaigns"] == [stored]
    paged = operator.get(f"/campaigns?after={stored['seq'] - 1}&limit=1").json()
    assert paged == {"campaigns": [stored], "next_after": stored["seq"]}
    assert error(operator.post("/campaigns", body)) == (400, "missing_field")


@pytest.mark.parametrize(
    "wrong",
    [
        {"bid": -1},
        {"bid": "1"},
        {"cpm_micros": 1.5},
        {"category": "nonsense"},
        {"status": "gone"},
        {"start_ts": 5, "end_ts": 5},
        {"campaign_id": "a b"},
        {"surprise": 1},
        {"brand": "a\0b"},
        {"brand": "a\nb"},
    ],
)
def test_campaigns_are_checked(alpine: Api, wrong: dict[str, Any]) -> None:
    assert alpine.post("/campaigns", BOOTS | wrong).status_code == 400


def test_a_creative_from_in_to_out(alpine: Api, operator: Api, engine: Engine) -> None:
    answer = alpine.creatives(m1="Sell boots.", m2="Sell skis.")
    assert answer.status_code == 201
    assert [c["checked"] for c in answer.json()["creatives"]] == ["ok", "ok"]
    assert alpine.get("/creatives/alpine.m1").json() == answer.json()["creatives"][0]
    again = alpine.creatives(m1="Sell warm boots.").json()["creatives"][0]
    assert (again["version"], again["embedded"]) == (2, False)
    assert {c["msg_id"] for c in operator.get("/creatives").json()["creatives"]} >= {
        "alpine.m1",
        "alpine.m2",
    }
    assert alpine.http.delete("/creatives/alpine.m1").json() == {
        "msg_id": "alpine.m1",
        "deleted": True,
    }
    assert error(alpine.http.delete("/creatives/alpine.m1")) == (404, "unknown_creative")
    assert error(alpine.get("/creatives/alpine.m1")) == (404, "unknown_creative")
    assert error(alpine.creatives(m1="Sell boots.")) == (409, "msg_deleted")
    tombstone = AdStore(engine).creative("alpine.m1")
    assert tombstone is not None and tombstone.deleted and tombstone.text == ""


@pytest.mark.parametrize(
    "text",
    [
        "Call Jo at jo.miller@alpineboots.co.uk for boots.",
        "Call our shop: +1 202-555-0143.",
        "Pay to DE89 3704 0044 0532 0130 00.",
    ],
)
def test_personal_data_in_an_ad(alpine: Api, triton: FakeTriton, text: str) -> None:
    """Refused before anybody else reads it; the whole request."""
    triton.judged.clear()
    answer = alpine.creatives(fine="Sell boots.", pii=text)
    assert error(answer) == (422, "pii_in_ad")
    assert answer.json()["error"]["param"] == "creatives.1.text"
    assert triton.judged == [] and error(alpine.get("/creatives/alpine.fine")) == (
        404,
        "unknown_creative",
    )


def test_an_ad_the_guard_blocks(alpine: Api) -> None:
    answer = alpine.creatives(good="Sell boots.", bad="A loan, now!")
    assert error(answer) == (422, "ad_blocked") and "pressure" in answer.text
    assert error(alpine.get("/creatives/alpine.good")) == (404, "unknown_creative")


def test_an_ad_the_guard_could_not_judge_waits(alpine: Api, engine: Engine) -> None:
    answer = alpine.creatives(odd="Sell a puzzle.")
    assert answer.status_code == 202
    assert [c["checked"] for c in answer.json()["creatives"]] == ["waiting"]
    assert "alpine.odd" not in {c.msg_id for c in AdStore(engine).not_embedded()}
    assert alpine.http.delete("/creatives/alpine.odd").status_code == 200


def test_while_the_guard_is_away(alpine: Api, triton: FakeTriton, engine: Engine) -> None:
    """Stored and never shown; judged when it is back."""
    triton.guard = None
    try:
        answer = alpine.creatives(later="Sell hats.", never="A loan for hats.")
        assert answer.status_code == 202
        assert {c["checked"] for c in answer.json()["creatives"]} == {"waiting"}
        store = AdStore(engine)
        assert not {"alpine.later", "alpine.never"} & {c.msg_id for c in store.not_embedded()}
    finally:
        triton.guard = guard
    assert wait_until(lambda: alpine.get("/creatives/alpine.never").json()["checked"] == "blocked")
    assert alpine.get("/creatives/alpine.never").json()["reason"] == "pressure"
    assert alpine.get("/creatives/alpine.later").json()["checked"] == "ok"
    assert "alpine.later" in {c.msg_id for c in store.not_embedded()}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_field"),
        ({"creatives": []}, "empty"),
        ({"creatives": [{"msg_id": "alpine.x", "campaign_id": "boots"}]}, "missing_field"),
        ({"creatives": [{"msg_id": "alpine.x", "campaign_id": "boots", "text": " "}]}, "bad_text"),
        (
            {"creatives": [{"msg_id": "alpine.x", "campaign_id": "none", "text": "y"}]},
            "unknown_campaign",
        ),
        (
            {"creatives": [{"msg_id": "alpine.x", "campaign_id": "boots", "text": "y"}] * 2},
            "duplicate_msg_id",
        ),
        (
            {
                "creatives": [
                    {"msg_id": f"alpine.x{n}", "campaign_id": "boots", "text": "y"}
                    for n in range(LIMITS.creatives_per_request + 1)
                ]
            },
            "too_many",
        ),
    ],
)
def test_creatives_are_checked(alpine: Api, body: dict[str, Any], code: str) -> None:
    assert alpine.post("/creatives", body).json()["error"]["code"] == code


def test_pages_are_checked(operator: Api) -> None:
    for query in ("after=-1", "limit=1001", "after=x", "after=" + "9" * 5_000):
        assert error(operator.get(f"/creatives?{query}")) == (400, "invalid_value")


def test_a_budget_is_set_once(alpine: Api, engine: Engine) -> None:
    """Spending goes on between two tries of one order: the second changes nothing."""
    end = int(time.time()) + 3_600
    order = {"cpm_micros": 3_000, "cpc_micros": 40, "budget_left_micros": 500, "end_ts": end}
    first = alpine.post("/budget/alpine", order, idempotency_key="a").json()
    assert (first["budget_left_micros"], first["end_ts"], first["cpc_micros"]) == (500, end, 40)
    ledger = Ledger(engine, "server", "run")
    assert ledger.reserve("alpine", "r", 300).micros == 300
    ledger.commit("alpine", "r", 200)
    ledger.reserve("alpine", "s", 50)
    assert alpine.post("/budget/alpine", order, idempotency_key="a").json() == first
    now = alpine.get("/budget/alpine").json()
    assert (now["budget_left_micros"], now["spent_micros"], now["reserved_micros"]) == (
        250,
        200,
        50,
    )
    other = alpine.post("/budget/alpine", {**order, "cpc_micros": 1}, idempotency_key="a")
    assert error(other) == (409, "idempotency_conflict")
    more = alpine.post("/budget/alpine", order, idempotency_key="b").json()
    assert (more["budget_left_micros"], more["spent_micros"]) == (500, 200)
    assert alpine.get("/campaigns").json()["campaigns"][0]["cpm_micros"] == 3_000


def test_a_daily_budget(harbor: Api) -> None:
    assert harbor.get("/budget/harbor").json()["limited"] is False
    stored = harbor.post("/budget/harbor", {"daily_micros": 900}, idempotency_key="a").json()
    assert (stored["daily_micros"], stored["budget_left_micros"]) == (900, 900)
    assert stored["end_ts"] - stored["start_ts"] == 86_400 and stored["limited"]


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({}, "invalid_value"),
        ({"budget_left_micros": 5}, "invalid_value"),
        ({"budget_left_micros": 5, "end_ts": 2**33, "daily_micros": 1}, "invalid_value"),
        ({"budget_left_micros": 5, "end_ts": 1}, "bad_end"),
        ({"daily_micros": -1}, "invalid_value"),
        ({"daily_micros": 2**53}, "invalid_value"),
        ({"daily_micros": 0.5}, "invalid_value"),
        ({"CPM": 1}, "unknown_field"),
    ],
)
def test_budgets_are_checked(alpine: Api, order: dict[str, Any], code: str) -> None:
    answer = alpine.post("/budget/alpine", order, idempotency_key="x")
    assert error(answer) == (400, code)


def test_a_budget_needs_a_key_and_an_advertiser(alpine: Api, operator: Api) -> None:
    answer = alpine.post("/budget/alpine", {"daily_micros": 1})
    assert error(answer) == (400, "idempotency_key_required")
    assert error(operator.get("/budget/nobody")) == (404, "unknown_advertiser")
    order = {"daily_micros": 1}
    unknown = operator.post("/budget/nobody", order, idempotency_key="n")
    assert error(unknown) == (404, "unknown_advertiser")
    for name in ("Al", "a%00b", "a" * 65):
        odd = operator.post(f"/budget/{name}", order, idempotency_key="n")
        assert error(odd) == error(operator.get(f"/budget/{name}")) == (400, "invalid_value")


def test_names_begin_with_the_advertiser_s(alpine: Api, operator: Api) -> None:
    """So that nobody takes a name that the campaign file, or another, needs."""
    body = {key: value for key, value in BOOTS.items() if key != "advertiser"}
    for name in ("harbor", "alpine_rail", "alpinerail", "summer"):
        refused = alpine.post("/campaigns", {**body, "campaign_id": name})
        assert error(refused) == (403, "name_not_yours")
        assert refused.json()["error"]["param"] == "campaign_id"
        creative = {"msg_id": name, "campaign_id": "boots", "text": "Sell boots."}
        fine = {**creative, "msg_id": "alpine:fine"}
        refused = alpine.post("/creatives", {"creatives": [fine, creative]})
        assert error(refused) == (403, "name_not_yours")
        assert refused.json()["error"]["param"] == "creatives.1.msg_id"
    for name in ("alpine", "alpine.summer", "alpine-summer", "alpine:summer"):
        assert alpine.post("/campaigns", {**body, "campaign_id": name}).status_code == 201
    given = {"creatives": [{"msg_id": "plain", "campaign_id": "boots", "text": "Sell boots."}]}
    for caller in (operator, alpine):  # what the operator named is the advertiser's to change
        assert caller.post("/creatives", given).status_code == 201


@pytest.fixture
def slow(gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets of one that hardly fill, so that a busy machine is no excuse."""
    desk = gateway.state.ads
    for limiter in (desk.limiter, desk.wrong_keys):
        monkeypatch.setattr(limiter, "_per_s", 1.0)
        monkeypatch.setattr(limiter, "_clock", lambda: 0.0)
        monkeypatch.setattr(limiter, "_buckets", OrderedDict())


@pytest.mark.usefixtures("slow")
def test_so_many_requests_a_second(gateway: LiveGateway, engine: Engine, operator: Api) -> None:
    """An advertiser's own: the operator's calls about it do not count."""
    busy = Api(gateway, advertisers.add(engine, "busy"))
    assert operator.get("/budget/busy").status_code == 200
    assert busy.get("/budget/busy").status_code == 200
    refused = busy.get("/budget/busy")
    assert error(refused) == (429, "rate_limited")
    assert refused.headers["retry-after"] == "1"


@pytest.mark.usefixtures("slow")
def test_wrong_keys_cost_little(gateway: LiveGateway, engine: Engine) -> None:
    """Those that cannot be one cost no look-up; the others share a rate that right ones escape."""
    right = [Api(gateway, advertisers.add(engine, name)) for name in ("right", "late")]
    assert right[0].get("/budget/right").status_code == 200
    for key in ("wrong", advertisers.PREFIX + "x" * 42, "x" * 49):
        assert error(Api(gateway, key).get("/campaigns")) == (401, "invalid_api_key")
    wrong = Api(gateway, advertisers.PREFIX + "x" * 43)
    assert error(wrong.get("/campaigns")) == (401, "invalid_api_key")
    assert error(wrong.get("/campaigns")) == (429, "rate_limited")
    assert error(right[0].get("/budget/harbor")) == (403, "forbidden")
    assert error(right[1].get("/budget/late")) == (429, "rate_limited")


def test_without_a_database(triton: FakeTriton) -> None:
    with LiveGateway(GatewaySettings(triton=triton.address)) as live:
        for path in PATHS:
            assert error(Api(live, None).get(path)) == (503, "ads_unavailable")


def test_a_database_that_is_away(triton: FakeTriton, tmp_path: Path) -> None:
    """The gateway starts and says so; nothing of the address is told."""
    url = f"postgresql+psycopg://x@/name?host={tmp_path}"
    with LiveGateway(GatewaySettings(triton=triton.address, database=url)) as live:
        answer = Api(live, None).get("/campaigns")
        assert error(answer) == (503, "ads_unavailable") and str(tmp_path) not in answer.text


def test_without_a_key_the_caller_is_the_operator(triton: FakeTriton, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/skynet.db"
    with LiveGateway(GatewaySettings(triton=triton.address, database=url)) as live:
        assert Api(live, None).post("/campaigns", BOOTS).status_code == 201
        assert error(Api(live, "wrong").get("/campaigns")) == (401, "invalid_api_key")
