# SPDX-License-Identifier: Apache-2.0
"""Runs every JSON case of `cases/` against a live gateway.

A case has `body` (JSON), `raw` (text) or `base64`, optional `headers`, and `expect`: status,
code and param, or the fields of the `ReplyRequest` that must reach the server. Big values are
written as {"$repeat": [text, n]}, {"$items": [value, n]} and {"$pad": bytes of body}.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from client.gateway.settings import GatewaySettings
from tests.client.fake_triton import FakeTriton
from tests.client.harness import LiveGateway, chat

CASES = sorted(Path(__file__).with_name("cases").glob("*.json"))


@pytest.fixture(scope="module")
def live() -> Iterator[tuple[FakeTriton, LiveGateway]]:
    with (
        FakeTriton() as fake,
        LiveGateway(GatewaySettings(triton=fake.address)) as gateway,
    ):
        yield fake, gateway


def expand(value: Any) -> Any:
    """`value` with its $-forms written out."""
    if isinstance(value, list):
        return [expand(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$repeat" in value:
        return value["$repeat"][0] * value["$repeat"][1]
    if "$items" in value:
        return [value["$items"][0]] * value["$items"][1]
    return {name: expand(item) for name, item in value.items()}


def body_of(case: dict[str, Any]) -> bytes:
    """The bytes to send."""
    if "base64" in case:
        return base64.b64decode(case["base64"])
    if "raw" not in case:
        return orjson.dumps(expand(case["body"]))
    raw = case["raw"]
    return b"{}".ljust(raw["$pad"]) if isinstance(raw, dict) else raw.encode()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(live: tuple[FakeTriton, LiveGateway], path: Path) -> None:
    fake, gateway = live
    case = json.loads(path.read_text(encoding="utf-8"))
    expect = case["expect"]
    fake.requests.clear()

    response = gateway.post(body_of(case), **case.get("headers", {}))

    assert response.status_code == expect["status"], response.text
    assert response.headers["x-request-id"].startswith("req-")
    if response.status_code == 200:
        check_request(fake, expect.get("request", {}))
    else:
        check_error(response.json()["error"], expect, response.headers["x-request-id"])
        assert not fake.requests, "a refused request reached the server"
        assert gateway.post(chat()).status_code == 200, "the next request must work"
    assert gateway.state.slots.live == 0


def check_request(fake: FakeTriton, expected: dict[str, Any]) -> None:
    """What reached the server, field by field."""
    (request,) = fake.requests
    sent = json.loads(request.model_dump_json())
    assert {name: sent[name] for name in expected} == expected


def check_error(error: dict[str, Any], expect: dict[str, Any], request_id: str) -> None:
    """OpenAI's shape, our code, nothing of the request echoed."""
    assert (error["code"], error["param"]) == (expect["code"], expect["param"])
    assert error["request_id"] == request_id
    assert error["type"] == "invalid_request_error"
    assert set(error) == {"message", "type", "param", "code", "request_id"}
    assert 0 < len(error["message"]) < 300


def test_every_refusal_has_its_own_file() -> None:
    assert len(CASES) > 80
