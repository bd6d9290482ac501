# SPDX-License-Identifier: Apache-2.0
"""The bundled broker for pipelines that run without a server: started only where none answers."""

from __future__ import annotations

import os
import socket

from bls.errors import SkynetError
from bls.settings import Settings
from client.launcher.broker import broker_command, find_broker
from client.launcher.process import Child
from client.launcher.ready import wait_until


def answers(servers: str) -> bool:
    """Whether any of `HOST:PORT,...` takes a connection."""
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=1.0):
                return True
        except (OSError, ValueError):
            continue
    return False


def ensure_broker(settings: Settings) -> Child | None:
    """The broker that was started, None where one answers already.

    Raises:
        SkynetError: `no_kafka` when the configured servers do not answer, `broker_missing`,
            `start_failed`.
    """
    if answers(settings.kafka_servers):
        return None
    if settings.kafka:
        raise SkynetError("no_kafka", "SKYNET_KAFKA names servers that do not answer.", 500)
    command = broker_command(find_broker(), settings.kafka_port)
    child = Child("broker", command, dict(os.environ), settings.logs / "broker.txt")
    try:
        wait_until(child, lambda: answers(settings.kafka_servers), settings.ready_timeout_s)
    except SkynetError:
        child.stop(2.0)
        raise
    return child
