# SPDX-License-Identifier: Apache-2.0
"""Ports, checked before anything is started."""

from __future__ import annotations

import dataclasses
import socket

from bls.errors import SkynetError
from bls.settings import Settings

_FIELDS = ("port", "triton_grpc_port", "triton_metrics_port")


def check_ports(settings: Settings) -> Settings:
    """Settings with every port 0 replaced by a free one. Raises `port_in_use` naming the port."""
    chosen: dict[str, int] = {}
    held: list[socket.socket] = []
    try:
        for name in _FIELDS:
            listener = socket.socket()
            held.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            port = getattr(settings, name)
            try:
                listener.bind((settings.host, port))
            except OSError:
                raise SkynetError(
                    "port_in_use",
                    f"Port {port} is taken; set SKYNET_{name.upper()} to another.",
                    500,
                ) from None
            chosen[name] = listener.getsockname()[1]
    finally:
        for listener in held:
            listener.close()
    return dataclasses.replace(settings, **chosen)  # type: ignore[arg-type]
