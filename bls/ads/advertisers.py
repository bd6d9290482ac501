# SPDX-License-Identifier: Apache-2.0
"""Advertisers and their API keys, of which only the SHA-256 is stored.

A key holds 256 random bits, so its hash needs no salt and cannot be guessed back.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from typing import NamedTuple

from sqlalchemy import Connection, Engine, select, update

from bls.ads.database import read, write
from bls.ads.plans import new_row
from bls.ads.schema import advertisers
from bls.errors import SkynetError, invalid
from bls.request import NAME_PATTERN

PREFIX = "skadv_"
_RANDOM_BYTES, _RANDOM_CHARS = 32, 43


class Advertiser(NamedTuple):
    """`created_ts`: Unix seconds."""

    name: str
    has_key: bool
    created_ts: int


def add(engine: Engine, name: str) -> str:
    """A new advertiser's key, shown this once. Raises `bad_name`, `advertiser_exists` (409)."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise invalid("bad_name", "A name is a-z, 0-9 and _, at most 64 of them.", "advertiser")
    key, created = _new_key(), int(time.time())

    def work(connection: Connection) -> None:
        row = {"advertiser": name, "key_sha256": _hash(key), "created_ts": created}
        stored = select(advertisers.c.key_sha256).where(advertisers.c.advertiser == name)
        if new_row(connection, advertisers, **row):
            return
        if connection.scalar(stored) != _hash(key):  # else a commit whose answer was lost
            message = "This advertiser exists; issue it another key."
            raise SkynetError("advertiser_exists", message, 409)

    write(engine, work)
    return key


def new_key(engine: Engine, name: str) -> str:
    """Another key; the one before ends at once. Raises `unknown_advertiser` (404)."""
    key = _new_key()
    _set(engine, name, _hash(key))
    return key


def revoke(engine: Engine, name: str) -> None:
    """End its key, and issue none. Raises `unknown_advertiser` (404)."""
    _set(engine, name, None)


def listed(engine: Engine) -> list[Advertiser]:
    """All, by name."""
    found = read(engine, lambda c: c.execute(select(advertisers).order_by("advertiser")).all())
    return [Advertiser(row.advertiser, row.key_sha256 is not None, row.created_ts) for row in found]


def looks_like_key(key: str) -> bool:
    """Whether it may be one at all: of the form that all keys have."""
    return key.isascii() and key.startswith(PREFIX) and len(key) == len(PREFIX) + _RANDOM_CHARS


def owner_of(engine: Engine, key: str) -> str | None:
    """The advertiser with this key. The stored hash is compared in constant time."""
    wanted = _hash(key)
    query = select(advertisers.c.advertiser, advertisers.c.key_sha256)
    one = query.where(advertisers.c.key_sha256 == wanted)
    row = read(engine, lambda connection: connection.execute(one).one_or_none())
    if row is None or not hmac.compare_digest(str(row.key_sha256), wanted):
        return None
    return str(row.advertiser)


def _set(engine: Engine, name: str, hashed: str | None) -> None:
    row = update(advertisers).where(advertisers.c.advertiser == name).values(key_sha256=hashed)
    if write(engine, lambda connection: int(connection.execute(row).rowcount)) == 0:
        raise SkynetError("unknown_advertiser", "There is no such advertiser.", 404, "advertiser")


def _new_key() -> str:
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
