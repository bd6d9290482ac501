# SPDX-License-Identifier: Apache-2.0
"""Feature windows that servers share in Redis; those within a server are gone after 60 s.

A server that still writes the reply puts its window back, and every copy dies with its time to
live, `hub_ttl_s`.
"""

from __future__ import annotations

from typing import Any

from redis.exceptions import RedisError

from bls.brain.hub import codec
from bls.brain.hub.redis_client import connect
from bls.brain.hub.redis_line import PREFIX
from bls.errors import SkynetError
from bls.limits import LIMITS
from pipelines_dagster.defs.gdpr.audit import Step
from pipelines_dagster.defs.gdpr.subject import Kind, Subject

PLACE = "redis"
_LOCAL = f"windows within a server are dropped {LIMITS.hub_ttl_s:.0f} s after their last use"


def erase_windows(url: str, subject: Subject) -> Step | None:
    """Delete the windows of a conversation, or those with a row of an advertiser.

    Raises `redis_unreachable`: what is not known to be gone is not told to be.
    """
    if subject.kind not in (Kind.CONV, Kind.ADV):
        return None
    if not url:
        return Step(PLACE, note=_LOCAL)
    client: Any = connect(url)
    try:
        keys = _keys(client, subject)
        removed = int(client.delete(*keys)) if keys else 0
        return Step(PLACE, removed=removed, found=len(_keys(client, subject)), note=_LOCAL)
    except RedisError:
        raise SkynetError("redis_unreachable", "Redis does not answer; try again.", 503) from None
    finally:
        client.close()


def _keys(client: Any, subject: Subject) -> list[bytes]:
    if subject.kind is Kind.CONV:
        key = f"{PREFIX}{subject.value}".encode()
        return [key] if client.exists(key) else []
    return [key for key in client.scan_iter(f"{PREFIX}*") if _has_row(client, key, subject)]


def _has_row(client: Any, key: bytes, subject: Subject) -> bool:
    text = client.get(key)
    if text is None:
        return False
    try:
        return subject.value in codec.decode(text).rows
    except ValueError:
        return True
