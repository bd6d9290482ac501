# SPDX-License-Identifier: Apache-2.0
"""What system tests ask of a running stack: replies, metrics, logs, processes."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil

from client.launcher.stack import Stack

TRIP = [{"role": "user", "content": "Plan a weekend trip to the mountains."}]


class Probe:
    """Plain HTTP against the gateway, and a look inside."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.url = stack.gateway_url

    def body(self, **changes: Any) -> dict[str, Any]:
        base = {"model": "skynet", "messages": TRIP, "max_tokens": 8, "stream": True}
        return base | changes

    def post(self, **changes: Any) -> httpx.Response:
        body = self.body(**changes)
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, timeout=60)

    def events(self, **changes: Any) -> Iterator[dict[str, Any]]:
        """Parsed SSE chunks until [DONE]."""
        body, url = self.body(**changes), f"{self.url}/v1/chat/completions"
        with httpx.stream("POST", url, json=body, timeout=60) as answer:
            assert answer.status_code == 200, answer.read()
            for line in answer.iter_lines():
                if line == "data: [DONE]":
                    return
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))
        raise AssertionError("the stream ended without [DONE]")

    def tokens(self, **changes: Any) -> list[dict[str, Any]]:
        """The auction field of every token chunk."""
        return list(self.tokens_live(**changes))

    def tokens_live(self, **changes: Any) -> Iterator[dict[str, Any]]:
        """The same, as they come."""
        found = (event.get("skynet", {}) for event in self.events(**changes))
        return (field for field in found if "token_id" in field)

    def metric(self, name: str) -> float:
        """Sum of a series on Triton's /metrics."""
        values = [value for series, value in self._series() if series.split("{")[0] == name]
        assert values, f"no series {name}"
        return sum(values)

    def labelled(self, name: str, **labels: str) -> float:
        """Sum of what a series has for these labels, 0 before the first."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            value
            for series, value in self._series()
            if series.startswith(name + "{") and all(label in series for label in wanted)
        )

    def _series(self) -> list[tuple[str, float]]:
        with urllib.request.urlopen(self.stack.metrics_url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        samples = [line.rpartition(" ") for line in lines if line and line[0] != "#"]
        return [(series, float(value)) for series, _, value in samples]

    def eventually(self, check: Callable[[], bool], seconds: float = 10.0) -> None:
        """Metrics are refreshed once a second: wait for them."""
        deadline = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < deadline, "did not come true in time"
            time.sleep(0.1)

    def all_rows_free(self) -> None:
        self.eventually(lambda: self.metric("cg_kv_rows_in_use") == 0)

    def log(self, stream: str) -> list[dict[str, Any]]:
        file = self.stack.settings.logs / stream
        if not file.exists():
            return []
        return [json.loads(line) for line in file.read_text().splitlines()]

    def worker(self) -> psutil.Process:
        """The process that holds the model and the KV cache."""
        server = psutil.Process(self.stack.child("tritonserver").pid)
        for process in server.children(recursive=True):
            if "bls.llm.worker" in process.cmdline():
                return process
        raise AssertionError("no model worker")
