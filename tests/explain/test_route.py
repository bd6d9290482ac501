# SPDX-License-Identifier: Apache-2.0
"""`POST /v1/explain` of a real gateway with a real worker: answers, refusals, 500 at once."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bls.explain.options import ExplainOptions
from bls.explain.worker import AUDIT
from bls.limits import LIMITS
from client.cli import main
from client.gateway.settings import GatewaySettings
from client.thin import explain
from tests.client.fake_triton import FakeTriton, wait_until
from tests.client.harness import LiveGateway, chat

AD = "Cheap quiet rooms, sea view for cheap"
CONTEXT = "A weekend by the sea"


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def gateway(tiny: Path, logs: Path) -> Iterator[LiveGateway]:
    with FakeTriton() as triton:
        explain = ExplainOptions(tve=tiny, logs=logs)
        with LiveGateway(GatewaySettings(triton=triton.address, explain=explain)) as live:
            yield live


def ask(gateway: LiveGateway, **body: Any) -> httpx.Response:
    return httpx.post(f"{gateway.url}/v1/explain", json=body, timeout=60)


def test_context_and_messages_are_the_same_question(gateway: LiveGateway, logs: Path) -> None:
    answer = ask(gateway, context=CONTEXT, ad=AD)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["tokens"][0].lower() == "cheap" and len(told["tokens"]) == 5
    assert set(told["curve"]) == {"v_max", "a", "k_0", "spread", "tokens"}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": CONTEXT},
    ]
    assert ask(gateway, messages=messages, ad=AD).json()["shap"] == told["shap"]
    assert wait_until(lambda: (logs / AUDIT).exists() and len(_lines(logs)) == 2)
    line = _lines(logs)[0]
    assert line["tokens"] == told["tokens"] and line["shap_vals"] == told["shap"]
    assert len(line["ctx_id"]) == 16 and CONTEXT not in json.dumps(line)


def _lines(logs: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (logs / AUDIT).read_text().splitlines()]


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"context": CONTEXT}, "missing_field", "ad"),
        ({"ad": AD}, "invalid_value", "context"),
        ({"context": CONTEXT, "messages": [], "ad": AD}, "invalid_value", "context"),
        ({"messages": [], "ad": AD}, "empty", "messages"),
        ({"messages": [{"role": "user", "content": 7}], "ad": AD}, "invalid_value", None),
        ({"context": " ", "ad": AD}, "invalid_value", "context"),
        ({"context": 7, "ad": AD}, "invalid_value", "context"),
        ({"context": CONTEXT, "ad": "x" * (LIMITS.ad_prompt_bytes + 1)}, "invalid_value", "ad"),
        ({"context": "x" * (LIMITS.message_bytes + 1), "ad": AD}, "invalid_value", "context"),
        ({"context": CONTEXT, "ad": AD, "top": 9}, "unknown_field", "top"),
        ({"context": "\u0001", "ad": AD}, "empty_text", "text"),
    ],
)
def test_refusals_name_the_field(
    gateway: LiveGateway, body: dict[str, Any], code: str, param: str | None
) -> None:
    answer = ask(gateway, **body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, code)
    if param is not None:
        assert error["param"] == param


def test_a_key_is_required_when_set() -> None:
    with LiveGateway(GatewaySettings(api_key="s3cret")) as live:
        assert ask(live, context=CONTEXT, ad=AD).status_code == 401


@pytest.mark.spec("TVE-C-03")
def test_500_at_once_are_answered_or_refused_and_a_reply_goes_on(gateway: LiveGateway) -> None:
    service = gateway.state.explainer
    most = 0

    async def one() -> tuple[int, bytes]:
        nonlocal most
        answer = await post(gateway.port, {"context": CONTEXT, "ad": AD})
        most = max(most, service.waiting)
        return answer

    async def everybody() -> list[tuple[int, bytes]]:
        asked = [asyncio.create_task(one()) for _ in range(500)]
        reply = await asyncio.to_thread(gateway.post, chat())
        assert reply.status_code == 200
        return await asyncio.gather(*asked)

    answers = asyncio.run(everybody())
    codes = Counter(status for status, _ in answers)
    assert set(codes) == {200, 429} and codes[200] >= LIMITS.explain_queue
    assert all(b"explain_busy" in body for status, body in answers if status == 429)
    assert 0 < most <= LIMITS.explain_queue
    assert service.starts == 1
    text = httpx.get(f"{gateway.url}/metrics").text
    assert 'tve_explain_total{outcome="explain_busy"}' in text
    assert "tve_explain_seconds_count" in text


async def post(port: int, body: dict[str, str]) -> tuple[int, bytes]:
    """One request on a connection of its own; 500 of them cost httpx many seconds."""
    content = json.dumps(body).encode()
    head = "POST /v1/explain HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode() + content)
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1]), answer


def test_the_command_draws_bars(
    gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["skynet", "explain", CONTEXT, "--ad", AD, "--url", gateway.url]
    monkeypatch.setattr(sys, "argv", arguments)
    assert main() == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split()[0].lower() == "cheap" and set(shown[0].split()[-1]) == {"+"}
    assert any(set(line.split()[-1]) == {"-"} for line in shown if line)
    assert shown[5].startswith("(others)") and "without any token" in shown[7]
    monkeypatch.setattr(sys, "argv", [*arguments[:2], " ", *arguments[3:]])
    assert main() == 1
    assert "(invalid_value, context)" in capsys.readouterr().err


def test_thin_client_takes_messages(gateway: LiveGateway) -> None:
    messages = [{"role": "user", "content": CONTEXT}]
    assert explain(gateway.url, messages, AD)["shap"] == explain(gateway.url, CONTEXT, AD)["shap"]
