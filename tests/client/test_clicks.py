# SPDX-License-Identifier: Apache-2.0
"""`POST /v1/clicks`: recorded before it is answered, refused when it cannot be."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bls.errors import SkynetError
from bls.events.from_line import from_line
from bls.events.schema import decode, encode
from bls.settlement.chain import GENESIS, link, split
from bls.settlement.clicks import CLICKS, ClickBook
from client.gateway.settings import GatewaySettings
from client.replies import ReplyError
from client.thin import click
from tests.client.fake_triton import FakeTriton
from tests.client.harness import LiveGateway

CLICK = {
    "conv_id": "conv-1",
    "request_id": "req-1",
    "advertiser": "kite_meals",
    "clicks": 1,
    "dwell_ms": 900,
}


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def gateway(triton: FakeTriton, logs: Path) -> Iterator[LiveGateway]:
    with LiveGateway(GatewaySettings(triton=triton.address, logs=logs)) as live:
        yield live


def post(gateway: LiveGateway, body: Any, **headers: str) -> httpx.Response:
    return httpx.post(f"{gateway.url}/v1/clicks", json=body, headers=headers)


def lines(logs: Path) -> list[bytes]:
    return (logs / CLICKS).read_bytes().splitlines()


def test_a_click_is_on_disk_when_it_is_answered(gateway: LiveGateway, logs: Path) -> None:
    answer = post(gateway, CLICK)
    assert (answer.status_code, answer.json()) == (200, {"event_id": "conv-1:req-1:kite_meals"})
    (line,) = lines(logs)
    event = decode(CLICKS, encode(CLICKS, from_line(CLICKS, line, "s", 1)))
    assert event["event_id"] == answer.json()["event_id"]
    assert {name: event[name] for name in CLICK} == CLICK and event["impressions"] == 1
    assert 'orch_clicks_total{outcome="done"} 1.0' in httpx.get(f"{gateway.url}/metrics").text


def test_clicks_are_chained_across_restarts(triton: FakeTriton, logs: Path) -> None:
    for _ in range(2):
        with LiveGateway(GatewaySettings(triton=triton.address, logs=logs)) as live:
            assert post(live, CLICK).status_code == post(live, CLICK).status_code == 200
    chain = GENESIS
    for line in lines(logs):
        body, stated = split(line) or (b"", "")
        chain = link(chain, body)
        assert chain == stated
    assert len(lines(logs)) == 4


REFUSED = {
    "nothing": ({}, "missing_field", "conv_id"),
    "no clicks": (CLICK | {"clicks": None}, "invalid_value", "clicks"),
    "negative": (CLICK | {"dwell_ms": -1}, "invalid_value", "dwell_ms"),
    "too large": (CLICK | {"impressions": 10**7}, "invalid_value", "impressions"),
    "none shown": (CLICK | {"impressions": 0}, "invalid_value", "impressions"),
    "a bool": (CLICK | {"clicks": True}, "invalid_value", "clicks"),
    "more than shown": (CLICK | {"clicks": 2}, "invalid_value", "clicks"),
    "a bad name": (CLICK | {"advertiser": "A b"}, "invalid_value", "advertiser"),
    "a bad id": (CLICK | {"conv_id": "../x"}, "invalid_value", "conv_id"),
    "unknown": (CLICK | {"user": "x"}, "unknown_field", "user"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_clicks_are_refused_by_name(gateway: LiveGateway, logs: Path, case: str) -> None:
    body, code, param = REFUSED[case]
    answer = post(gateway, body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)
    assert not (logs / CLICKS).exists()


def test_the_key_is_asked_for(triton: FakeTriton, logs: Path) -> None:
    settings = GatewaySettings(triton=triton.address, logs=logs, api_key="s3cret")
    with LiveGateway(settings) as live:
        assert post(live, CLICK).status_code == 401
        assert post(live, CLICK, authorization="Bearer s3cret").status_code == 200


def test_a_disk_that_refuses_is_a_503_and_the_click_comes_through_later(
    gateway: LiveGateway, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert post(gateway, CLICK).status_code == 200

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for _ in range(3):
            answer = post(gateway, CLICK | {"request_id": "req-2"})
            assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
            assert answer.json()["error"]["code"] == "clicks_stalled"
            assert "space" not in answer.text
    assert post(gateway, CLICK | {"request_id": "req-3"}).status_code == 200
    ids = [b"req-%d" % number for number in (1, 2, 3)]
    assert [any(one in line for line in lines(logs)) for one in ids] == [True] * 3


def test_another_gateway_on_the_same_folder_is_refused(gateway: LiveGateway, logs: Path) -> None:
    assert post(gateway, CLICK).status_code == 200
    book = ClickBook(logs)
    with pytest.raises(SkynetError) as caught:
        asyncio.run(book.put(CLICK))
    assert (caught.value.code, caught.value.status) == ("clicks_stalled", 503)
    book.close()


def test_a_gateway_without_a_log_folder(triton: FakeTriton) -> None:
    with LiveGateway(GatewaySettings(triton=triton.address)) as live:
        assert post(live, CLICK).status_code == 503


def test_clicks_that_come_together(logs: Path) -> None:
    async def many() -> None:
        book = ClickBook(logs)
        await asyncio.gather(*(book.put(CLICK | {"dwell_ms": n}) for n in range(200)))
        book.close()

    asyncio.run(many())
    assert len(lines(logs)) == 200


def test_the_thin_client_tells_a_click(gateway: LiveGateway, logs: Path) -> None:
    told = click(gateway.url, "conv-1", "req-9", "kite_meals", clicks=3, impressions=9, dwell_ms=5)
    assert told == "conv-1:req-9:kite_meals" and b'"impressions":9' in lines(logs)[0]
    with pytest.raises(ReplyError, match="more clicks"):
        click(gateway.url, "conv-1", "req-9", "kite_meals", clicks=3)
