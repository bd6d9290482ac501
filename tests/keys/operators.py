# SPDX-License-Identifier: Apache-2.0
"""A signing key, and a log that remembers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bls.keys.entry import Entry, Value
from bls.keys.signing import TrustedKeys, sign

KEY = "/mpc/params"
PERIOD_S = 0.02


class Remembered:
    """A log whose lines a test can look at."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def write(self, stream: str, **fields: object) -> None:
        self.lines.append((stream, fields))

    def of(self, stream: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.lines if name == stream]


class Operator:
    """Has the signing key."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.trusted = TrustedKeys([self.private.public_key()])

    def entry(self, version: int, key: str = KEY, **value: Any) -> Entry:
        return sign(unsigned(version, value, key), self.private)


def unsigned(version: int, value: Value, key: str = KEY) -> Entry:
    return Entry.of(key, version, 1_764_000_000, value)


def wait_until(met: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    """Poll: true as soon as `met()` is, false after `timeout_s`."""
    until = time.monotonic() + timeout_s
    while not met() and time.monotonic() < until:
        time.sleep(0.01)
    return met()
