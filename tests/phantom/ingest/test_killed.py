# SPDX-License-Identifier: Apache-2.0
"""The gateway is killed while a client tells it events: each is on disk once, none is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bls.phantom.lines import lines_since
from bls.settings import REPOSITORY
from client.launcher.ports import free_port
from tests.phantom.ingest.rig import event

pytestmark = pytest.mark.spec("PH-07")

BATCHES, KILLS, WAIT_S = 40, 1, 90.0


@contextmanager
def gateway(state: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """As `skynet serve` starts it; without a model server, so nothing is scored."""
    command = [sys.executable, "-m", "client.gateway.server", "--port", str(port)]
    command += ["--triton", "127.0.0.1:1"]
    environment = {**os.environ, "SKYNET_STATE": str(state), "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Client(threading.Thread):
    """Tells batch after batch, each again until it is taken."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.url = f"http://127.0.0.1:{port}"
        self.told: list[str] = []
        self.taken = 0
        self.deadline = time.monotonic() + WAIT_S

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=5, verify=False) as http:
            for number in range(BATCHES):
                batch = [event("page_view", f"e-{number}-{at}") for at in range(5)]
                sid = f"s-{number % 4}"
                self.told += [f"{sid} {one['event_id']}" for one in batch]
                body = {"session_id": sid, "mode": "hotel", "events": batch}
                while not self._tell(http, body) and time.monotonic() < self.deadline:
                    time.sleep(0.02)
                self.taken += 1

    def _tell(self, http: httpx.Client, body: dict[str, Any]) -> bool:
        try:
            return http.post("/v1/events", json=body).is_success
        except httpx.HTTPError:
            return False


def test_killed_while_events_come(tmp_path: Path) -> None:
    port = free_port()
    client = Client(port)
    client.start()
    for kill in range(1, KILLS + 1):
        with gateway(tmp_path, port):
            while client.taken < kill * BATCHES // (KILLS + 1) and client.is_alive():
                time.sleep(0.002)
    with gateway(tmp_path, port):
        client.join(WAIT_S)
    assert client.taken == BATCHES and len(client.told) == BATCHES * 5
    found = Counter(
        f"{line['session_id']} {line['event_id']}" for line in lines_since(tmp_path / "logs", 0.0)
    )
    assert set(found) == set(client.told) and set(found.values()) == {1}
