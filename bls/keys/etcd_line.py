# SPDX-License-Identifier: Apache-2.0
"""Requests to an etcd cluster: any member, a token for a user, answers of bounded size."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx

from bls.keys.etcd_url import EtcdUrl
from bls.limits import LIMITS

ANSWER_BYTES = 64 * LIMITS.key_bytes
"""Largest answer that is read; a page of `history` is at most half of it."""

_CONNECT_S, _ANSWER_S = 2.0, 3.0
_UNAUTHORISED = 401

Json = dict[str, Any]


class UnavailableError(Exception):
    """No member gave a usable answer."""


class EtcdLine:
    """From any thread.

    Args:
        password: of `url.user`.
    """

    def __init__(self, url: EtcdUrl, password: str = "") -> None:
        self._members = url.urls()
        self._user, self._password = url.user, password
        self._token = ""
        self._client = httpx.Client(verify=url.trust(), timeout=_ANSWER_S, trust_env=False)

    def ask(self, path: str, body: Json) -> Json:
        """The answer to a request. Raises `UnavailableError`."""
        for _ in range(2 * len(self._members)):
            with contextlib.suppress(httpx.HTTPError, _AskNextError), self._post(path, body) as got:
                return _json(_bounded(got))
            self._members = [*self._members[1:], self._members[0]]
        raise UnavailableError

    @contextlib.contextmanager
    def stream(self, path: str, body: Json, silence_s: float) -> Iterator[httpx.Response]:
        """An answer that goes on; it fails after `silence_s` without a byte. Raises `httpx`'s."""
        try:
            with self._post(path, body, silence_s) as got:
                yield got
        except _AskNextError:
            raise httpx.ReadError("not authorised") from None
        except httpx.HTTPError:
            self._members = [*self._members[1:], self._members[0]]
            raise

    def forget_token(self) -> None:
        """It was refused inside a stream: the next request gets another."""
        self._token = ""

    def close(self) -> None:
        self._client.close()

    @contextlib.contextmanager
    def _post(self, path: str, body: Json, read_s: float = _ANSWER_S) -> Iterator[httpx.Response]:
        member, timeout = self._members[0], httpx.Timeout(read_s, connect=_CONNECT_S)
        headers = {"Authorization": self._authorised(member)} if self._user else {}
        with self._client.stream(
            "POST", member + path, json=body, headers=headers, timeout=timeout
        ) as got:
            if got.status_code == _UNAUTHORISED:
                self._token = ""
            if got.status_code != httpx.codes.OK:
                raise _AskNextError
            yield got

    def _authorised(self, member: str) -> str:
        """The token of our user, asked for once until it is refused."""
        if not self._token:
            asked = {"name": self._user, "password": self._password}
            with self._client.stream("POST", f"{member}auth/authenticate", json=asked) as got:
                if got.status_code != httpx.codes.OK:
                    raise _AskNextError
                self._token = str(_json(_bounded(got)).get("token", ""))
        return self._token


class _AskNextError(Exception):
    """This member did not answer as it should."""


def _bounded(got: httpx.Response) -> bytes:
    content = bytearray()
    for chunk in got.iter_bytes():
        content += chunk
        if len(content) > ANSWER_BYTES:
            raise _AskNextError
    return bytes(content)


def _json(content: bytes) -> Json:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        raise _AskNextError from None
    if not isinstance(answer, dict):
        raise _AskNextError
    return answer


def b64(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return base64.b64encode(raw).decode()


def unb64(text: str) -> bytes:
    """Raises `UnavailableError`: a gateway never sends anything else."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UnavailableError from None
