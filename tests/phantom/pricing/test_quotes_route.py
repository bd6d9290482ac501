# SPDX-License-Identifier: Apache-2.0
"""`POST /v1/quotes`: prices out, each of them on disk as shown, refusals by name."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from bls.contracts import SESSION_PRICE
from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.models.served import served_name
from bls.phantom.shop import catalogue

pytest.importorskip("client.gateway.phantom.desk")

from client.gateway.phantom.quotes import QUOTE_ROUTES
from client.gateway.routes import ROUTES
from client.gateway.settings import GatewaySettings
from tests.client.harness import LiveGateway

pytestmark = [
    pytest.mark.spec("PH-05"),
    pytest.mark.skipif(QUOTE_ROUTES[0] not in ROUTES, reason="the gateway has no such route"),
]
SERVED = 0xAB
ITEMS = list(catalogue("hotel").items)[:3]
"""Of the shop that ships."""


class Prices(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """A `session_price` that says one multiplier, or a fault."""

    def __init__(self) -> None:
        self.multiplier = 1.05
        self.fault: SkynetError | None = None
        self.keys: list[int] = []

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.model_name != SESSION_PRICE.name:
            context.abort(grpc.StatusCode.UNAVAILABLE, "no such model")
        if self.fault is not None:
            context.abort(grpc.StatusCode.INTERNAL, self.fault.to_wire())
        rows = request.inputs[0].shape[0]
        self.keys += struct.unpack(f"<{rows}Q", request.raw_input_contents[1])
        answer = service_pb2.ModelInferResponse(model_name=request.model_name)
        values = struct.pack(f"<{rows}f", *[self.multiplier] * rows)
        served = struct.pack(f"<{rows}Q", *[SERVED] * rows)
        for tensor, raw in zip(SESSION_PRICE.outputs, (values, served), strict=True):
            answer.outputs.add(name=tensor.name, datatype=tensor.dtype, shape=[rows, 1])
            answer.raw_output_contents.append(raw)
        return answer


@pytest.fixture(scope="module")
def model() -> Iterator[tuple[Prices, str]]:
    prices, server = Prices(), grpc.server(futures.ThreadPoolExecutor(4))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(prices, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield prices, f"127.0.0.1:{port}"
    server.stop(None).wait(5)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def gateway(model: tuple[Prices, str], logs: Path) -> Iterator[LiveGateway]:
    with LiveGateway(GatewaySettings(triton=model[1], logs=logs)) as live:
        until_warm(live)
        yield live


def until_warm(live: LiveGateway) -> None:
    """The first call opens the channel, which may take longer than the deadline of a quote."""
    for number in range(40):
        if {one["policy"] for one in ask(live, f"warm{number}").json()["quotes"]} != {"base"}:
            return
    raise AssertionError("the model never answered in time")


def ask(live: LiveGateway, session: str, items: list[str] | None = None, **more: Any) -> Any:
    body = {"session_id": session, "mode": "hotel", "items": items or ITEMS} | more
    return httpx.post(f"{live.url}/v1/quotes", json=body)


def priced(live: LiveGateway, prefix: str) -> Any:
    """A page that a model answered: on a busy machine one may be late."""
    for number in range(40):
        answer = ask(live, f"{prefix}{number}").json()
        if "base" not in {one["policy"] for one in answer["quotes"]}:
            return answer
    raise AssertionError("the model never answered in time")


def lines(logs: Path, session: str) -> list[dict[str, Any]]:
    text = (logs / "session.prices").read_text().splitlines()
    return [
        one
        for one in (json.loads(line[: line.rindex("}") + 1]) for line in text)
        if one["session_id"] == session
    ]


def test_quotes_and_their_record(gateway: LiveGateway, logs: Path) -> None:
    answer = priced(gateway, "first")
    assert answer["currency"] == catalogue("hotel").currency
    shop = catalogue("hotel")
    assert [one["item"] for one in answer["quotes"]] == ITEMS
    for one in answer["quotes"]:
        item = shop.item(one["item"])
        assert item.floor_micros <= one["price_micros"] <= item.ceiling_micros
        assert one["base_micros"] == item.base_micros
        assert (one["policy"], one["version"]) == ("session_price", served_name(SERVED))
    told = lines(logs, answer["session_id"])
    shown = {one["item"]: (one["price_micros"], one["policy"], one["version"]) for one in told}
    assert shown == {
        one["item"]: (one["price_micros"], one["policy"], one["version"])
        for one in answer["quotes"]
    }
    assert len({one["quote_id"] for one in told}) == len(ITEMS)


def test_the_same_price_again_and_it_is_recorded_again(gateway: LiveGateway, logs: Path) -> None:
    first = priced(gateway, "again")
    second = ask(gateway, first["session_id"]).json()
    assert second == first
    assert len(lines(logs, first["session_id"])) == 2 * len(ITEMS)


def test_a_model_that_refuses_is_the_base_price(
    gateway: LiveGateway, model: tuple[Prices, str], logs: Path
) -> None:
    model[0].fault = SkynetError("bad_price", "The price failed.", 500)
    answer = ask(gateway, "refused")
    model[0].fault = None
    assert answer.status_code == 200
    for one in answer.json()["quotes"]:
        assert (one["price_micros"], one["policy"], one["version"]) == (
            one["base_micros"],
            "base",
            "",
        )
    assert {one["policy"] for one in lines(logs, "refused")} == {"base"}
    text = httpx.get(f"{gateway.url}/metrics").text
    assert 'phantom_quotes_total{policy="base"}' in text
    assert "phantom_quotes_fallbacks_total{reason=" in text and "phantom_quotes_held_total" in text


def test_a_forced_condition(gateway: LiveGateway) -> None:
    event = {"event_id": "e1", "action": "page_view", "ts_ms": now_ms()}
    placed = {"name": "my_experiment", "condition": "static"}
    told = {"session_id": "forced", "mode": "hotel", "events": [event], "experiment": placed}
    assert httpx.post(f"{gateway.url}/v1/events", json=told).status_code == 200
    assert {one["policy"] for one in ask(gateway, "forced").json()["quotes"]} == {"static"}


def test_a_session_whose_score_does_not_come(gateway: LiveGateway, model: Any) -> None:
    """The scorer is away: soon after its acts the session is asked the base price."""
    event = {"event_id": "e1", "action": "page_view", "ts_ms": now_ms()}
    told = {"session_id": "unscored", "mode": "hotel", "events": [event]}
    assert httpx.post(f"{gateway.url}/v1/events", json=told).json()["agent_probability"] is None
    live = gateway.state.sessions.book.get("unscored")
    assert live is not None and live.unscored_since > 0
    live.unscored_since -= LIMITS.score_behind_s + 1
    assert {one["policy"] for one in ask(gateway, "unscored").json()["quotes"]} == {"base"}


REFUSED = {
    "nothing": ({"items": []}, 400, "empty", "items"),
    "too many": ({"items": ["a"] * 129}, 400, "too_many", "items"),
    "no such item": ({"items": ["nobody_sells_this"]}, 404, "unknown_item", "item"),
    "no such mode": ({"mode": "bazaar"}, 400, "invalid_value", "mode"),
    "a score of its own": ({"agent_probability": 0.0}, 400, "unknown_field", "agent_probability"),
    "a bad id": ({"session_id": "../x"}, 400, "invalid_value", "session_id"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.spec("PH-13")
def test_refusals(gateway: LiveGateway, case: str) -> None:
    change, status, code, param = REFUSED[case]
    body = {"session_id": "refusals", "mode": "hotel", "items": ITEMS} | change
    answer = httpx.post(f"{gateway.url}/v1/quotes", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert error["param"] is None or error["param"].startswith(param)


@pytest.mark.spec("PH-13")
def test_a_session_of_the_other_mode(gateway: LiveGateway) -> None:
    ask(gateway, "fixed")
    items = list(catalogue("airline").items)[:1]
    answer = ask(gateway, "fixed", items, mode="airline")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "mode_fixed")


@pytest.mark.spec("PH-13")
def test_so_many_requests_a_second(gateway: LiveGateway) -> None:
    with httpx.Client() as client:
        body = {"session_id": "hasty", "mode": "hotel", "items": ITEMS[:1]}
        codes = [client.post(f"{gateway.url}/v1/quotes", json=body).status_code for _ in range(90)]
    assert set(codes) <= {200, 429} and codes[: LIMITS.session_requests_per_s].count(200) > 0


@pytest.mark.spec("PH-13")
def test_the_key_is_asked_for(model: tuple[Prices, str], tmp_path: Path) -> None:
    with LiveGateway(GatewaySettings(triton=model[1], logs=tmp_path, api_key="k")) as live:
        assert ask(live, "s").status_code == 401


def test_a_gateway_that_cannot_record_gives_no_quote(model: tuple[Prices, str]) -> None:
    with LiveGateway(GatewaySettings(triton=model[1])) as live:
        answer = ask(live, "s")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "sessions_stalled")


def now_ms() -> int:
    return int(time.time() * 1000)
