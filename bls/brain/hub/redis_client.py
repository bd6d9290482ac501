# SPDX-License-Identifier: Apache-2.0
"""A Redis client from a URL: one server, or a group watched by sentinels.

`redis://`, `rediss://` (TLS) and `unix://` are the library's own. Ours is
`sentinel://[user:password@]host:port[,host:port...]/group[?db=0]`: the primary of `group`, asked of
the sentinels again whenever a connection is made. Nothing is dialled before the first command.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from bls.errors import SkynetError
from bls.limits import LIMITS, Limits

_SENTINEL_PORT = 26_379


def connect(url: str, limits: Limits = LIMITS) -> Redis:
    """Raises `bad_setting`; the message does not repeat the URL, which may hold a password."""
    patience = limits.hub_connect_s
    options = {
        "socket_timeout": patience,
        "socket_connect_timeout": patience,
        "retry": Retry(NoBackoff(), 0),  # the caller keeps what it could not write
    }
    try:
        if urlsplit(url).scheme == "sentinel":
            return _behind_sentinels(url, options)
        return Redis.from_url(url, **options)
    except (ValueError, TypeError):
        raise SkynetError(
            "bad_setting", "SKYNET_REDIS must be a redis, rediss or sentinel URL.", 500
        ) from None


def _behind_sentinels(url: str, options: dict[str, Any]) -> Redis:
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    group = parts.path.strip("/")
    if not group or not hosts:
        raise ValueError("no group or no host")
    addresses = [_address(host) for host in hosts.split(",")]
    sentinels: Any = Sentinel(addresses, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
    client: Redis = sentinels.master_for(
        group,
        username=unquote(user) or None,
        password=unquote(password) or None,
        db=int(parse_qs(parts.query).get("db", ["0"])[0]),
        **options,
    )
    return client


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    if not host:
        raise ValueError("no host")
    return host, int(port or _SENTINEL_PORT)
