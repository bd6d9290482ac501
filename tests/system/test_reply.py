# SPDX-License-Identifier: Apache-2.0
"""A real reply: real server, real model, real kernel, the official client."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import openai
import pytest

from tests.system.probe import TRIP, Probe

BIDDERS = [
    {"advertiser": "alpine_rail", "bid": 1.5},
    {"advertiser": "harbor_hotels", "bid": 1.2},
    {"advertiser": "own_model", "bid": 1.0, "ad_prompt": "Mention the Own Model inn."},
]
SKYNET = {"bidders": BIDDERS}


@pytest.fixture
def official(probe: Probe) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{probe.url}/v1", api_key="unused", max_retries=0)


@pytest.mark.spec("AUC-I-01")
def test_official_client_streams(official: openai.OpenAI) -> None:
    chunks = list(
        official.chat.completions.create(
            model="skynet", messages=TRIP, max_tokens=20, stream=True, extra_body={"skynet": SKYNET}
        )
    )
    fields = [chunk.model_extra.get("skynet", {}) for chunk in chunks]  # type: ignore[union-attr]
    tokens = [field for field in fields if "token_id" in field]
    assert [token["index"] for token in tokens] == list(range(len(tokens)))
    assert 1 <= len(tokens) <= 20
    receipt = next(field["receipt"] for field in fields if "receipt" in field)
    assert receipt["completion_tokens"] == len(tokens)
    assert [line["advertiser"] for line in receipt["lines"]] == [b["advertiser"] for b in BIDDERS]
    assert any(chunk.choices and chunk.choices[0].finish_reason for chunk in chunks)


def test_official_client_without_streaming(official: openai.OpenAI) -> None:
    answer = official.chat.completions.create(
        model="skynet", messages=TRIP, max_tokens=12, extra_body={"skynet": SKYNET}
    )
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None and answer.usage.completion_tokens <= 12
    assert answer.model_extra["skynet"]["receipt"]["lines"]  # type: ignore[index]


def test_the_model_list_and_health(probe: Probe, official: openai.OpenAI) -> None:
    assert [model.id for model in official.models.list()]
    for path in ("/healthz", "/readyz"):
        assert httpx.get(probe.url + path).status_code == 200


def test_streamed_and_whole_answers_agree(probe: Probe) -> None:
    streamed = "".join(
        event["choices"][0]["delta"].get("content") or ""
        for event in probe.events(skynet=SKYNET)
        if event["choices"]
    )
    whole = probe.post(skynet=SKYNET, stream=False).json()["choices"][0]["message"]["content"]
    assert streamed == whole


def test_sponsored_tokens_are_marked_and_disclosed(probe: Probe) -> None:
    """Large bids change the reply; the change is marked, charged and said in plain words."""
    bids = [{"advertiser": "alpine_rail", "bid": 20.0}, {"advertiser": "harbor_hotels", "bid": 9.0}]
    events = list(probe.events(skynet={"bidders": bids}, max_tokens=24))
    tokens = [e["skynet"] for e in events if "token_id" in e.get("skynet", {})]
    sponsored = [token for token in tokens if token["sponsored"]]
    assert sponsored and all(
        token["winner"] in {"alpine_rail", "harbor_hotels"} for token in sponsored
    )
    assert all(token["winner"] is None for token in tokens if not token["sponsored"])
    receipt = next(e["skynet"]["receipt"] for e in events if "receipt" in e.get("skynet", {}))
    assert receipt["total_micros"] > 0
    text = "".join(e["choices"][0]["delta"].get("content") or "" for e in events if e["choices"])
    assert receipt["disclosure"] in text


def test_same_request_same_reply_alone_and_among_others(probe: Probe) -> None:
    def signature(_: int = 0) -> list[tuple]:
        tokens = probe.tokens(skynet=SKYNET, seed=7, max_tokens=10)
        return [(t["token_id"], *(row["charge"] for row in t["rows"])) for t in tokens]

    alone = signature()
    others = ["Where can I eat in Rome?", "Tell me about trains.", "Best running shoes?", "Hello!"]
    with ThreadPoolExecutor(7) as pool:
        noise = [
            pool.submit(probe.tokens, messages=[{"role": "user", "content": text}], max_tokens=12)
            for text in others
        ]
        among = list(pool.map(signature, range(3)))
        for job in noise:
            job.result()
    assert all(run == alone for run in among)


def test_second_turn_reuses_the_first_prompt(probe: Probe) -> None:
    probe.all_rows_free()
    before = probe.metric("cg_kv_reuse_tokens_total")
    first = probe.post(stream=False, user="turns").json()["choices"][0]["message"]["content"]
    turns = [*TRIP, {"role": "assistant", "content": first}, {"role": "user", "content": "Thanks!"}]
    probe.tokens(messages=turns, user="turns")
    probe.eventually(lambda: probe.metric("cg_kv_reuse_tokens_total") - before >= 20)


def test_stop_string(probe: Probe) -> None:
    events = list(probe.events(stop=[" a"], max_tokens=30))
    text = "".join(e["choices"][0]["delta"].get("content") or "" for e in events if e["choices"])
    assert " a" not in text.split("Sponsored:")[0]
    assert "stop" in [e["choices"][0]["finish_reason"] for e in events if e["choices"]]


@pytest.mark.spec("CG-C-02")
def test_a_forward_step_without_a_gpu(probe: Probe) -> None:
    """The seed's bound of the CPU fallback, 120 ms, on however few cores there are; a machine that
    was busy for a moment is asked again."""
    p95 = []
    while len(p95) < 3 and min(p95, default=1.0) > 0.120:
        gaps: list[float] = []
        while len(gaps) < 100:
            came = [time.perf_counter() for _ in probe.tokens_live(skynet=SKYNET, max_tokens=48)]
            gaps += np.diff(came).tolist()
        p95.append(float(np.percentile(gaps, 95)))
    assert min(p95) <= 0.120
