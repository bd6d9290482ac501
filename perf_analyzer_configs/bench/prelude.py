# SPDX-License-Identifier: Apache-2.0
"""Everything before the prefill: a chat of 6,000 tokens and 100,000 creatives, stage by stage.

On a stack and in a state folder of its own. Creatives are made: embeddings drawn around a few
hundred centres, so no two are alike and every chat has near ones. Every chat is new to all caches.
"""

from __future__ import annotations

import dataclasses
import json
import random
import tempfile
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from bls.ads.database import open_database
from bls.ads.migrate import migrate
from bls.ads.records import CampaignRecord, Checked, NewCreative, Status
from bls.ads.store import AdStore
from bls.contracts import Use
from bls.guard.guard import load_guard
from bls.settings import Settings, load_settings
from client.launcher.stack import Stack
from perf_analyzer_configs.bench.figures import Figure

CREATIVES = 100_000
CHATS = 60
_WARM = 5
_BATCH = 5_000
_CENTRES = 400
_ADVERTISERS = 200
_WORDS = 4_300
"""Words of a chat; a little under 6,000 tokens."""
_GOALS = {"condense": 150.0, "select": 5.0, "total": 400.0}
_PATIENCE_S = 300.0


def before_the_first_token(creatives: int = CREATIVES) -> list[Figure]:
    """p50 and p95 of each stage, as `token_auction` measured it through Triton."""
    with tempfile.TemporaryDirectory(prefix="prelude-") as folder:
        ports = {"port": 0, "triton_grpc_port": 0, "triton_metrics_port": 0}
        changes: dict[str, Any] = {"state": Path(folder), "keys": "", "database": "", **ports}
        settings = dataclasses.replace(load_settings(), **changes)
        _fill(settings, creatives)
        with Stack(settings) as stack:
            return _measure(stack.gateway_url, creatives)


def _measure(url: str, creatives: int) -> list[Figure]:
    times: list[dict[str, float]] = []
    tokens: list[int] = []
    with httpx.Client(base_url=url, timeout=120) as client:
        _until_indexed(client)
        for chat in _chats(CHATS + _WARM):
            told, prompt = _ask(client, chat)
            if told.get("no_ads"):
                raise RuntimeError(f"a chat without ads: {told['no_ads']}")
            times.append(told["ms"])
            tokens.append(prompt)
    times = times[_WARM:]
    what = f"{len(times)} chats of {min(tokens)}-{max(tokens)} tokens, {creatives:,} creatives"
    return [_figure(stage, [t.get(stage, 0.0) for t in times], what) for stage in sorted(times[0])]


def _figure(stage: str, values: list[float], what: str) -> Figure:
    p50, p95 = np.percentile(values, [50, 95])
    goal = _GOALS.get(stage)
    return Figure(
        f"before the prefill, {stage}, p95",
        float(p95),
        "ms",
        f"<= {goal:g}" if goal else "",
        bool(p95 <= goal) if goal else None,
        f"p50 {p50:.1f} ms; {what}",
    )


def _ask(client: httpx.Client, messages: list[dict[str, str]]) -> tuple[dict[str, Any], int]:
    body = {"model": "skynet", "messages": messages, "max_tokens": 1}
    answer = client.post("/v1/chat/completions", json=body).raise_for_status().json()
    return answer["skynet"]["prelude"], answer["usage"]["prompt_tokens"]


def _until_indexed(client: httpx.Client) -> None:
    """The index holds the creatives: a short question is offered some."""
    stop = time.monotonic() + _PATIENCE_S
    question = [{"role": "user", "content": "Which shoes are good for a week in the mountains?"}]
    while not _ask(client, question)[0].get("selected"):
        if time.monotonic() > stop:
            raise RuntimeError("no creative is ever selected")
        time.sleep(0.5)


def _chats(count: int) -> Iterator[list[dict[str, str]]]:
    """Long chats of sentences that occur in chats, in another order each: of those beside which
    ads may stand, so that no stage is skipped."""
    lines = files("export.llm").joinpath("parity_chats.jsonl").read_text().splitlines()
    said = [turn["content"] for line in lines for turn in json.loads(line)["turns"]]
    sentences = [s.strip() + "." for text in said for s in text.split(".") if len(s.split()) > 3]
    guard = load_guard(load_settings().guard_folder())

    def harmless(text: str) -> bool:
        return guard.judge([text], Use.USER)[0].ok

    sentences = list(filter(harmless, sentences))
    rng = random.Random(7)
    for _ in range(count):
        messages: list[dict[str, str]] = []
        words = 0
        while words < _WORDS or len(messages) % 2 == 0:
            text = " ".join(rng.choices(sentences, k=rng.randint(2, 8)))
            if not harmless(text):
                continue
            words += len(text.split())
            role = "assistant" if len(messages) % 2 else "user"
            messages.append({"role": role, "content": text})
        yield messages


def _fill(settings: Settings, creatives: int) -> None:
    engine = open_database(settings.database_url, settings.database_password)
    migrate(engine)
    store = AdStore(engine)
    for number in range(_ADVERTISERS):
        store.put_campaign(_campaign(number))
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((_CENTRES, 384))
    for start in range(0, creatives, _BATCH):
        numbers = range(start, min(start + _BATCH, creatives))
        made = [
            NewCreative(f"made_{n}", f"made_{n % _ADVERTISERS}", _text(n), checked=Checked.OK)
            for n in numbers
        ]
        store.put_creatives(made)
        near = centres[rng.integers(0, _CENTRES, len(made))]
        vectors = near + 0.8 * rng.standard_normal(near.shape)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        keys = [(one.msg_id, 1) for one in made]
        store.put_embeddings(dict(zip(keys, vectors.astype(np.float32), strict=True)))
    engine.dispose()


def _campaign(number: int) -> CampaignRecord:
    return CampaignRecord(
        campaign_id=f"made_{number}",
        advertiser=f"made_{number}",
        brand=f"Made {number}",
        category="general",
        bid=0.5,
        cpm_micros=1_000_000 + 10_000 * number,
        cpc_micros=20_000 + 100 * number,
        start_ts=0,
        end_ts=None,
        frequency_cap=None,
        status=Status.ACTIVE,
    )


def _text(number: int) -> str:
    return f"Recommend Made {number}, part number {number}, delivered tomorrow."
