# SPDX-License-Identifier: Apache-2.0
"""Models, health, metrics, keys, unknown addresses, trace context."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from client.gateway.settings import GatewaySettings
from tests.client.fake_triton import FakeTriton
from tests.client.harness import LiveGateway, chat

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_models_and_health(gateway: LiveGateway) -> None:
    models = httpx.get(f"{gateway.url}/v1/models").json()
    assert [model["id"] for model in models["data"]] == ["skynet"]
    assert httpx.get(f"{gateway.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{gateway.url}/readyz").json() == {"status": "ready"}


def test_ready_follows_triton(triton: FakeTriton, gateway: LiveGateway) -> None:
    def reason() -> str:
        answer = httpx.get(f"{gateway.url}/readyz")
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "not_ready"
        return str(answer.json()["error"]["message"])

    triton.server_ready = False
    assert "starting" in reason()
    triton.server_ready, triton.model_ready = True, False
    assert "reply model" in reason()
    triton.stop()
    assert "does not answer" in reason()
    assert httpx.get(f"{gateway.url}/healthz").status_code == 200


def test_unknown_address_and_wrong_method(gateway: LiveGateway) -> None:
    missing = httpx.get(f"{gateway.url}/v2/nothing")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    wrong = httpx.get(f"{gateway.url}/v1/chat/completions")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    for answer in (missing, wrong):
        assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]


def test_metrics_count_replies_and_tokens(gateway: LiveGateway) -> None:
    gateway.post(chat())
    gateway.post(chat(max_tokens=0))
    text = httpx.get(f"{gateway.url}/metrics").text
    assert 'cg_gateway_replies_total{outcome="done"} 1.0' in text
    assert "cg_gateway_tokens_total 10.0" in text
    assert "cg_gateway_sponsored_tokens_total 2.0" in text
    assert "cg_gateway_live_replies 0.0" in text
    assert "cg_gateway_ttft_seconds_count 1.0" in text


@pytest.mark.parametrize(
    "header", [None, "Bearer wrong", "Basic s3cret", "Bearer", "Bearer s3crét"]
)
def test_api_key_is_required_when_set(triton: FakeTriton, header: str | None) -> None:
    with LiveGateway(GatewaySettings(triton=triton.address, api_key="s3cret")) as gateway:
        headers = {"authorization": header.encode()} if header else {}
        for path in ("/v1/models", "/metrics"):
            assert httpx.get(gateway.url + path, headers=headers).status_code == 401
        refused = httpx.post(f"{gateway.url}/v1/chat/completions", json=chat(), headers=headers)
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "invalid_api_key"
        assert gateway.post(chat(), authorization="Bearer s3cret").status_code == 200
        assert httpx.get(f"{gateway.url}/healthz").status_code == 200


def test_trace_context_is_passed_on_when_tracing_is_off(
    triton: FakeTriton, gateway: LiveGateway
) -> None:
    gateway.post(chat(), traceparent=TRACE)
    gateway.post(chat(), traceparent="nonsense")
    assert [request.traceparent for request in triton.requests] == [TRACE, None]


def test_one_root_span_per_reply(triton: FakeTriton, tmp_path: Path) -> None:
    spans = tmp_path / "spans.jsonl"
    settings = GatewaySettings(triton=triton.address, traces=f"file:{spans}")
    with LiveGateway(settings) as gateway:
        gateway.post(chat(), traceparent=TRACE)
    (span,) = [json.loads(line) for line in spans.read_text().splitlines()]
    assert span["name"] == "reply"
    assert span["parent_id"] == "0xb7ad6b7169203331"
    assert span["attributes"]["skynet.outcome"] == "done"
    passed = triton.requests[0].traceparent or ""
    assert passed.split("-")[1] == TRACE.split("-")[1]
    assert passed.split("-")[2] == span["context"]["span_id"].removeprefix("0x")


@pytest.mark.parametrize(
    "bad", [{"models": ()}, {"streams": 0}, {"heartbeat_s": 0}, {"body_timeout_s": -1}]
)
def test_bad_settings_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        GatewaySettings(**bad)  # type: ignore[arg-type]
