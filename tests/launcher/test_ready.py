# SPDX-License-Identifier: Apache-2.0
"""Waiting for a child: ready, ended, or late; a failure says why, from the child's log."""

from __future__ import annotations

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bls.errors import SkynetError
from client.launcher.process import Child
from client.launcher.ready import http_ready, triton_ready, wait_until

NOBODY = "127.0.0.1:9"


def start(folder: Path, program: str) -> Child:
    return Child("child", [sys.executable, "-c", program], os.environ, folder / "log.txt")


def test_returns_once_ready(tmp_path: Path) -> None:
    child = start(tmp_path, "import time; time.sleep(30)")
    answers = iter([False, False, True])
    try:
        wait_until(child, lambda: next(answers), timeout_s=10.0)
    finally:
        child.stop(grace_s=5.0)
    assert next(answers, None) is None


def test_child_that_ends_is_told_with_its_reason(tmp_path: Path) -> None:
    child = start(tmp_path, "print('error: no such model'); raise SystemExit(7)")
    with pytest.raises(SkynetError) as caught:
        wait_until(child, lambda: False, timeout_s=20.0)
    assert caught.value.code == "start_failed"
    first, *log = caught.value.message.splitlines()
    assert "child ended with code 7" in first
    assert log == ["error: no such model"]


def test_child_that_is_late(tmp_path: Path) -> None:
    child = start(tmp_path, "import time; time.sleep(30)")
    began = time.monotonic()
    try:
        with pytest.raises(SkynetError, match="not ready after") as caught:
            wait_until(child, lambda: False, timeout_s=0.3)
    finally:
        child.stop(grace_s=5.0)
    assert caught.value.code == "start_failed"
    assert time.monotonic() - began < 3.0


def test_nobody_there_is_not_ready() -> None:
    assert not http_ready(f"http://{NOBODY}/readyz")()
    assert not triton_ready(NOBODY)()


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False)])
def test_http_ready_means_200(status: int, ready: bool) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        assert http_ready(f"http://127.0.0.1:{server.server_port}/")() is ready
        server.shutdown()
        thread.join()
