# SPDX-License-Identifier: Apache-2.0
"""An endpoint of OpenAI's chat completions, asked with patience and within bounds."""

from __future__ import annotations

import ipaddress
import json
import time
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import httpx

from bls.errors import invalid

_PATH = "/chat/completions"
_ANSWER_BYTES = 256 * 1024
_OUTPUT_TOKENS = 160
_WAIT_MAX_S = 20.0


class Trouble(StrEnum):
    """Why there is no answer."""

    UNREACHABLE = "endpoint_unreachable"
    BUSY = "endpoint_busy"  # 429 or 5xx, also after waiting
    REFUSED = "endpoint_refused"  # any other status
    NONSENSE = "endpoint_nonsense"  # no chat completion, or too much of it
    SLOW = "endpoint_slow"


class EndpointError(Exception):
    """No answer. `after_s`: how long the endpoint asks to be left alone."""

    def __init__(self, reason: Trouble, after_s: float = 0.0) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.after_s = after_s


@dataclass(frozen=True)
class Endpoint:
    """Usable from several threads.

    Attributes:
        url: its base, such as `https://host/v1`.
        key: sent as a bearer token; only over TLS, or to this machine.
        timeout_s: of one try, from its first byte to its last.
        tries: of one question; between them it waits `pause_s`, then twice that, or as long as
            the endpoint says.
    """

    url: str
    model: str = "skynet"
    key: str = field(default="", repr=False)
    timeout_s: float = 30.0
    tries: int = 3
    pause_s: float = 0.5

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.url)
        except (httpx.InvalidURL, TypeError):
            raise _bad("is not a URL") from None
        if url.scheme not in ("http", "https") or not url.host or url.userinfo:
            raise _bad("must be http(s)://HOST[:PORT]/PATH")
        if self.key and url.scheme == "http" and not _here(url.host):
            raise _bad("must be https where SKYNET_REWRITE_API_KEY is set")

    @cached_property
    def _client(self) -> httpx.Client:
        return httpx.Client(timeout=self.timeout_s)

    @cached_property
    def _address(self) -> str:
        base = self.url.rstrip("/")
        return base if base.endswith(_PATH) else base + _PATH

    def complete(self, system: str, user: str) -> str:
        """The text of the answer. Raises `EndpointError`."""
        turns = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        body = {"model": self.model, "messages": turns, "max_tokens": _OUTPUT_TOKENS}
        wait = self.pause_s
        for left in reversed(range(self.tries)):
            try:
                return self._once(body)
            except EndpointError as error:
                if not left or error.reason in (Trouble.REFUSED, Trouble.NONSENSE):
                    raise
                time.sleep(max(wait, min(_WAIT_MAX_S, error.after_s)))
                wait *= 2
        raise AssertionError("unreachable")

    def _once(self, body: dict[str, Any]) -> str:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        until = time.monotonic() + self.timeout_s
        try:
            with self._client.stream("POST", self._address, json=body, headers=headers) as answer:
                _check(answer)
                return _text(_read(answer, until))
        except httpx.TimeoutException:
            raise EndpointError(Trouble.SLOW) from None
        except httpx.HTTPError:
            raise EndpointError(Trouble.UNREACHABLE) from None


def _check(answer: httpx.Response) -> None:
    if answer.status_code == 429 or answer.status_code >= 500:
        after = answer.headers.get("Retry-After", "")
        raise EndpointError(Trouble.BUSY, float(after) if after.isdecimal() else 0.0)
    if answer.status_code != 200:
        raise EndpointError(Trouble.REFUSED)


def _read(answer: httpx.Response, until: float) -> bytes:
    whole = bytearray()
    for chunk in answer.iter_bytes():
        whole += chunk
        if len(whole) > _ANSWER_BYTES:
            raise EndpointError(Trouble.NONSENSE)
        if time.monotonic() > until:
            raise EndpointError(Trouble.SLOW)
    return bytes(whole)


def _text(body: bytes) -> str:
    try:
        text = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        raise EndpointError(Trouble.NONSENSE) from None
    if not isinstance(text, str):
        raise EndpointError(Trouble.NONSENSE)
    return text


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bad(why: str) -> Exception:
    return invalid("bad_endpoint", f"The endpoint's address {why}.", "--rewrite")
