# SPDX-License-Identifier: Apache-2.0
"""The portal: `PUT /v1/replies/{conv_id}/bids`, the thin client's function and `skynet bid`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from bls.errors import SkynetError
from bls.limits import LIMITS
from client.cli import cli
from client.gateway.settings import GatewaySettings
from client.replies import ReplyError
from client.thin import update_bids
from tests.client.fake_script import Fail, Send, Sleep, happy
from tests.client.fake_triton import FakeTriton
from tests.client.harness import LiveGateway, chat


def put(gateway: LiveGateway, body: Any, conv_id: str = "conv-1", **headers: str) -> httpx.Response:
    return httpx.put(f"{gateway.url}/v1/replies/{conv_id}/bids", json=body, headers=headers)


def test_new_bids_are_passed_on(triton: FakeTriton, gateway: LiveGateway) -> None:
    answer = put(gateway, {"bids": {"nimbus_air": 0.8, "casa_verde": 0}})
    assert answer.status_code == 200
    assert answer.json() == {"conv_id": "conv-1", "applied_from": 5}
    (update,) = triton.updates
    assert (update.conv_id, update.bids) == ("conv-1", {"nimbus_air": 0.8, "casa_verde": 0.0})
    assert update.request_id == answer.headers["x-request-id"]


REFUSED = {
    "no bids": ({}, "missing_field", "bids"),
    "null": ({"bids": None}, "invalid_auction", "bids"),
    "a list": ({"bids": ["a"]}, "invalid_auction", "bids"),
    "none": ({"bids": {}}, "empty", "bids"),
    "nine": ({"bids": {f"a{i}": 1 for i in range(9)}}, "too_many", "bids"),
    "negative": ({"bids": {"a": -0.1}}, "invalid_auction", "bids.a"),
    "over the limit": ({"bids": {"a": LIMITS.bid_max + 1}}, "invalid_auction", "bids.a"),
    "text": ({"bids": {"a": "1"}}, "invalid_auction", "bids.a"),
    "a bool": ({"bids": {"a": True}}, "invalid_auction", "bids.a"),
    "a bad name": ({"bids": {"A b": 1}}, "invalid_auction", "bids.A b.[key]"),
    "unknown field": ({"bids": {"a": 1}, "w_ref": 2}, "unknown_field", "w_ref"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_updates_are_refused_by_name(
    triton: FakeTriton, gateway: LiveGateway, case: str
) -> None:
    body, code, param = REFUSED[case]
    answer = put(gateway, body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)
    assert not triton.updates


def test_long_names_are_not_echoed(gateway: LiveGateway) -> None:
    error = put(gateway, {"bids": {"x" * 100_000: 1}}).json()["error"]
    assert error["code"] == "invalid_auction" and len(error["message"]) < 400


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"bids": {"a": NaN}}', b"\xff"])
def test_what_is_no_json_object(gateway: LiveGateway, raw: bytes) -> None:
    url = f"{gateway.url}/v1/replies/c/bids"
    answer = httpx.put(url, content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 400


def test_a_conversation_id_that_cannot_be(gateway: LiveGateway) -> None:
    answer = put(gateway, {"bids": {"a": 1}}, conv_id="%20")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "conv_id")


@pytest.mark.parametrize(
    "error",
    [
        SkynetError("conversation_not_found", "No such reply is being written.", 404),
        SkynetError("unknown_advertiser", "'a' does not bid in this reply.", 400, "bids"),
        SkynetError("too_many_updates", "At most 20 bid updates per second and reply.", 429),
    ],
    ids=lambda error: error.code,
)
def test_what_the_server_refuses(
    triton: FakeTriton, gateway: LiveGateway, error: SkynetError
) -> None:
    triton.on_update = lambda update: [Fail(error)]
    answer = put(gateway, {"bids": {"a": 1}})
    assert answer.status_code == error.status
    assert answer.json()["error"]["code"] == error.code
    assert ("retry-after" in answer.headers) == (error.status == 429)


@pytest.mark.parametrize(
    "steps", [[], [Send({"KIND": 9})], happy], ids=["nothing", "unknown kind", "a reply"]
)
def test_an_answer_against_the_contract(
    triton: FakeTriton, gateway: LiveGateway, steps: Any
) -> None:
    if callable(steps):
        triton.on_update = lambda update: steps(_reply(update.conv_id))
    else:
        triton.on_update = lambda update: steps
    answer = put(gateway, {"bids": {"a": 1}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")


def _reply(conv_id: str) -> Any:
    class Request:
        request_id, max_tokens = "r", 2

    Request.conv_id = conv_id  # type: ignore[attr-defined]
    return Request


def test_a_reply_never_has_an_update_in_it(triton: FakeTriton, gateway: LiveGateway) -> None:
    triton.script = triton.on_update  # type: ignore[assignment]
    assert gateway.post(chat()).status_code == 500


def test_a_server_that_does_not_answer(triton: FakeTriton) -> None:
    triton.on_update = lambda update: [Sleep(20)]
    settings = GatewaySettings(triton=triton.address, update_timeout_s=0.1)
    with LiveGateway(settings) as gateway:
        answer = put(gateway, {"bids": {"a": 1}})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


def test_the_key_is_required(triton: FakeTriton) -> None:
    with LiveGateway(GatewaySettings(triton=triton.address, api_key="s3cret")) as gateway:
        assert put(gateway, {"bids": {"a": 1}}).status_code == 401
        assert not triton.updates
        good = put(gateway, {"bids": {"a": 1}}, authorization="Bearer s3cret")
        assert good.status_code == 200


def test_only_put(gateway: LiveGateway) -> None:
    answer = httpx.post(f"{gateway.url}/v1/replies/c/bids", json={"bids": {"a": 1}})
    assert answer.status_code == 405


def test_the_thin_client(triton: FakeTriton, gateway: LiveGateway) -> None:
    assert update_bids(gateway.url, "conv:1", {"nimbus_air": 0.5}) == 5
    assert triton.updates[0].conv_id == "conv:1"
    with pytest.raises(ReplyError) as caught:
        update_bids(gateway.url, "../models", {"nimbus_air": 0.5})
    assert caught.value.status in (400, 404)


def test_the_command(triton: FakeTriton, gateway: LiveGateway) -> None:
    words = ["bid", "conv-1", "nimbus_air=0.8", "casa_verde=2", "--url", gateway.url]
    done = CliRunner().invoke(cli, words)
    assert (done.exit_code, done.output) == (0, "applied from token 5\n")
    assert triton.updates[0].bids == {"nimbus_air": 0.8, "casa_verde": 2.0}


@pytest.mark.parametrize("words", [["conv-1"], ["conv-1", "a"], ["conv-1", "a=x"]])
def test_the_command_used_wrongly(words: list[str]) -> None:
    assert CliRunner().invoke(cli, ["bid", *words]).exit_code == 2
