# SPDX-License-Identifier: Apache-2.0
"""Ports, checked before anything is started."""

from __future__ import annotations

import dataclasses
import errno
import socket

from bls.errors import SkynetError
from bls.settings import Settings

_FIELDS = ("port", "triton_grpc_port", "triton_metrics_port")
BROKER = "kafka_port"
SHOP = "store_port"
_PUBLIC = ("port", SHOP)
"""These listen on `settings.host`, the others on loopback."""


LOOPBACK = "127.0.0.1"
"""Where Triton listens: the gateway is the only public face."""


def check_ports(settings: Settings, broker: bool = False) -> Settings:
    """Settings with every port 0 replaced by a free one; `broker`: the bundled broker's too.

    The shop's is looked at where the settings have one.

    Raises `port_in_use` or `bad_setting`, naming the port and its variable.
    """
    names = [*_FIELDS, *([BROKER] if broker else []), *([SHOP] if settings.store_mode else [])]
    chosen: dict[str, int] = {}
    held: list[socket.socket] = []
    try:
        for name in names:
            listener = socket.socket()
            held.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            port = getattr(settings, name)
            host = settings.host if name in _PUBLIC else LOOPBACK
            try:
                listener.bind((host, port))
                listener.listen()  # bound alone, two sockets may share a port
            except OSError as error:
                raise _refused(name, f"{host}:{port}", error) from None
            chosen[name] = listener.getsockname()[1]
    finally:
        for listener in held:
            listener.close()
    return dataclasses.replace(settings, **chosen)  # type: ignore[arg-type]


def free_port() -> int:
    """A port on loopback that nobody uses now."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        port: int = taken.getsockname()[1]
        return port


def _refused(name: str, address: str, error: OSError) -> SkynetError:
    variable = f"SKYNET_{name.upper()}"
    if error.errno == errno.EADDRINUSE:
        port = address.rpartition(":")[2]
        return SkynetError("port_in_use", f"Port {port} is taken; set {variable} to another.", 500)
    why = f"Cannot listen on {address}: {error.strerror}; see SKYNET_HOST and {variable}."
    return SkynetError("bad_setting", why, 500)
