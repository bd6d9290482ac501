# SPDX-License-Identifier: Apache-2.0
"""One value of the key store: JSON with its SHA-256, a rising version, and who signed it.

    {"key": "/mpc/params", "version": 3, "created": 1764000000, "value": {...},
     "sha256": hex of the canonical JSON of `value`, "key_id": ..., "signature": base64}

The signature covers key, version, time and hash under a domain of its own, so an entry cannot
be moved to another key, passed off as newer, or taken for anything else this key has signed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from bls.keys.refusal import Reason, RefusedError
from bls.limits import LIMITS

Value = dict[str, Any]

KEY_PATTERN = re.compile(r"(/[a-z0-9][a-z0-9_]{0,63}){1,8}")
VERSION_MAX = 2**53 - 1
_DOMAIN = b"skynet key store entry v1\n"
_KINDS = {"version": int, "created": int, "value": dict}


@dataclass(frozen=True)
class Entry:
    """What is stored under `key`. `created`: Unix seconds; unsigned: both last fields empty."""

    key: str
    version: int
    created: int
    value: Value
    sha256: str
    key_id: str = ""
    signature: str = ""

    @classmethod
    def of(cls, key: str, version: int, created: int, value: Value) -> Entry:
        """An unsigned entry. Raises `ValueError` for a value that is not plain JSON."""
        return cls(key, version, created, value, digest(value))

    @property
    def message(self) -> bytes:
        """The bytes that are signed."""
        return _DOMAIN + f"{self.key}\n{self.version}\n{self.created}\n{self.sha256}\n".encode()

    def encode(self) -> bytes:
        """The entry as it is stored, with a newline."""
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False).encode() + b"\n"

    @property
    def identity(self) -> str:
        """SHA-256 of everything in it."""
        return hashlib.sha256(self.encode()).hexdigest()


def digest(value: Value) -> str:
    """SHA-256 of the canonical JSON: sorted keys, no spaces, ASCII. Raises `ValueError`."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def decode(raw: bytes, key: str) -> Entry:
    """The entry of `key` in `raw`, its hash checked, its signature not. Raises `RefusedError`."""
    content = hashlib.sha256(raw).hexdigest()
    if len(raw) > LIMITS.key_bytes:
        raise RefusedError(Reason.TOO_LARGE, content)
    try:
        fields = json.loads(raw, parse_constant=_no_constant, object_pairs_hook=_distinct)
        entry = _entry(fields)
        right = digest(entry.value) == entry.sha256
    except (ValueError, TypeError, RecursionError):
        raise RefusedError(Reason.MALFORMED, content) from None
    if entry.key != key:
        raise RefusedError(Reason.OTHER_KEY, content, entry.version)
    if not right:
        raise RefusedError(Reason.CHECKSUM, content, entry.version)
    return entry


def _entry(fields: Any) -> Entry:
    if not isinstance(fields, dict):
        raise TypeError("an entry is an object")
    entry = Entry(**fields)
    for field in dataclasses.fields(Entry):
        if type(getattr(entry, field.name)) is not _KINDS.get(field.name, str):
            raise TypeError(f"{field.name} has another type")
    if not 1 <= entry.version <= VERSION_MAX or not 0 <= entry.created <= VERSION_MAX:
        raise ValueError("number out of range")
    return entry


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _distinct(pairs: list[tuple[str, Any]]) -> Value:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name appears twice")
    return fields
