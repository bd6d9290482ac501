# SPDX-License-Identifier: Apache-2.0
"""What a gateway can be told at start; checked once, here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bls.explain.options import ExplainOptions
from bls.limits import LIMITS


@dataclass(frozen=True)
class GatewaySettings:
    """Units are in the field names.

    Attributes:
        triton: `host:port` of Triton's gRPC endpoint.
        models: names a request may put in `model`; the first is the default one.
        api_key: callers of `/v1/*` and `/metrics` must present it when set.
        traces: as `SKYNET_TRACES`, see `bls.tracing`.
        deadline_grace_ms: how long past a reply's own deadline the gateway still waits for the
            server to end it politely.
        explain: how the worker behind `/v1/explain` is started.
        logs: where `/v1/clicks`, `/v1/events` and `/v1/prices` record; None: they refuse.
        salt: file of the salt of user agents; None: they are not recorded.
        keys: key store (`bls.keys.store.open_store`) with the shop's experiments; empty: none.
        database: of campaigns and budgets (`bls.ads.database`); empty: they are refused.
    """

    triton: str = "127.0.0.1:8001"
    models: tuple[str, ...] = ("skynet",)
    api_key: str | None = field(default=None, repr=False)
    traces: str = "off"
    streams: int = LIMITS.streams
    heartbeat_s: float = LIMITS.heartbeat_s
    body_timeout_s: float = 10.0
    ready_timeout_s: float = 2.0
    update_timeout_s: float = 5.0
    deadline_grace_ms: int = 2_000
    explain: ExplainOptions = field(default_factory=ExplainOptions)
    logs: Path | None = None
    salt: Path | None = None
    keys: str = ""
    etcd_password: str = field(default="", repr=False)
    database: str = field(default="", repr=False)
    database_password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("models must name at least one model")
        if self.streams < 1:
            raise ValueError("streams must be >= 1")
        for name in ("heartbeat_s", "body_timeout_s", "ready_timeout_s", "update_timeout_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be > 0")
