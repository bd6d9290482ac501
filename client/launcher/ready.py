# SPDX-License-Identifier: Apache-2.0
"""Waiting until a child answers, with the end of its log when it does not."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable

import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from bls.errors import SkynetError
from client.launcher.process import Child

_POLL_S = 0.1


def wait_until(child: Child, ready: Callable[[], bool], timeout_s: float) -> None:
    """Return when `ready()`; raises `start_failed` when the child ends or the time is over."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if child.exit_code is not None:
            raise _failed(child, f"{child.name} ended with code {child.exit_code}")
        if time.monotonic() > deadline:
            raise _failed(child, f"{child.name} was not ready after {timeout_s:.0f} s")
        time.sleep(_POLL_S)


def triton_ready(address: str) -> Callable[[], bool]:
    """Whether the server and all its models are ready."""
    client = triton.InferenceServerClient(address)

    def ready() -> bool:
        try:
            return bool(client.is_server_ready(client_timeout=2.0))
        except InferenceServerException:
            return False

    return ready


def http_ready(url: str) -> Callable[[], bool]:
    """Whether `url` answers 200."""

    def ready() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2.0) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    return ready


def _failed(child: Child, what: str) -> SkynetError:
    return SkynetError("start_failed", f"{what}. Its log says:\n{child.tail()}", 500)
