# SPDX-License-Identifier: Apache-2.0
"""A webhook: JSON by POST, tried again a few times. Its URL is a secret and is never written."""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from bls.errors import SkynetError

RETRIES = 3
TIMEOUT_S = 3.0
_PAUSE_S = 0.2
_BUSY = 429


class Webhook:
    """One receiver.

    Args:
        pause_s: before the first retry; doubled before each other.

    Raises:
        SkynetError: `bad_setting` unless the URL is https, or http on this machine.
    """

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S, pause_s: float = _PAUSE_S) -> None:
        if not _allowed(url):
            raise SkynetError("bad_setting", "SKYNET_PIPELINES_WEBHOOK is not an https URL.", 500)
        for name in ("httpx", "httpcore"):  # they log the URL of every request
            logging.getLogger(name).setLevel(logging.WARNING)
        self._url, self._timeout_s, self._pause_s = url, timeout_s, pause_s

    def __repr__(self) -> str:
        return "Webhook()"

    def post(self, body: Mapping[str, Any]) -> str:
        """Empty when it arrived, else why it did not; never raises and never names the URL."""
        try:
            content = orjson.dumps(body, default=str, option=orjson.OPT_SERIALIZE_NUMPY)
        except (TypeError, ValueError):
            return "unserialisable"
        fault = ""
        for attempt in range(RETRIES + 1):
            if attempt:
                time.sleep(self._pause_s * 2 ** (attempt - 1))
            fault = self._once(content)
            if not fault or not _worth_retrying(fault):
                break
        return fault

    def _once(self, content: bytes) -> str:
        head = {"Content-Type": "application/json"}
        try:
            answer = httpx.post(self._url, content=content, headers=head, timeout=self._timeout_s)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return type(error).__name__
        return "" if answer.is_success else f"status {answer.status_code}"


def _worth_retrying(fault: str) -> bool:
    """Not when the receiver understood and refused."""
    code = fault.removeprefix("status ")
    return not code.isdigit() or int(code) >= 500 or int(code) == _BUSY


def _allowed(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return bool(parsed.host) and (
        parsed.scheme == "https" or (parsed.scheme == "http" and _loopback(parsed.host))
    )


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
