# SPDX-License-Identifier: Apache-2.0
"""The salt that user agents are hashed with: one a deployment, made once, readable by us alone."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from bls.errors import SkynetError

_BYTES = 32
_CHARS = 1_024
"""Of a header that are hashed; more is nobody's browser."""


def read_salt(path: Path) -> bytes:
    """The salt in a file of mode 0600, made when there is none. Raises `OSError`, `bad_salt`."""
    with suppress(FileNotFoundError):
        return _read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(_BYTES))
        os.fsync(descriptor)
        with suppress(FileExistsError):  # another process was faster: its salt counts
            os.link(new, path)
    finally:
        os.close(descriptor)
        new.unlink()
    return _read(path)


def hashed(salt: bytes, user_agent: str) -> str:
    """SHA-256 of a user agent, 64 hex digits; empty for none."""
    if not user_agent:
        return ""
    return hashlib.sha256(salt + user_agent[:_CHARS].encode()).hexdigest()


def _read(path: Path) -> bytes:
    found = path.read_bytes()
    if len(found) != _BYTES or path.stat().st_mode & 0o077:
        raise SkynetError("bad_salt", "The salt of user agents is not 32 bytes of mode 0600.", 500)
    return found
