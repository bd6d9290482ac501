# SPDX-License-Identifier: Apache-2.0
"""The command line of the Triton server, every safety flag explicit."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from bls.settings import Settings
from client.launcher.install import TritonInstall
from client.launcher.ports import LOOPBACK

LOCKED = "shared-memory,model-repository,trace,logging"
"""Endpoints nobody outside needs: they ask for a key that is drawn at start. A local user who may
list processes can read it; the point is that no client has it."""

_EXIT_TIMEOUT_S = 5
_RESPONSE_POOL = 128
_SHM_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class ServerFiles:
    """Folders of one run. `shm_prefix` begins the name of every shared-memory segment."""

    repository: Path
    backends: Path
    shm_prefix: str


def triton_command(install: TritonInstall, settings: Settings, files: ServerFiles) -> list[str]:
    """Program and arguments."""
    flags = {
        "model-repository": files.repository,
        "backend-directory": files.backends,
        "model-control-mode": "none",
        "disable-auto-complete-config": None,
        "strict-readiness": "true",
        "exit-on-error": "true",
        "exit-timeout-secs": _EXIT_TIMEOUT_S,
        "allow-http": "false",
        "grpc-address": LOOPBACK,
        "grpc-port": settings.triton_grpc_port,
        "grpc-infer-allocation-pool-size": _RESPONSE_POOL,
        "grpc-restricted-protocol": f"{LOCKED}:lock={secrets.token_hex(16)}",
        "allow-metrics": "true",
        "metrics-address": LOOPBACK,
        "metrics-port": settings.triton_metrics_port,
        "allow-gpu-metrics": "false",
        "log-verbose": 0,
    }
    optional = {"grpc-max-response-pool-size": _RESPONSE_POOL, "allow-client-shm": "false"}
    flags |= {name: value for name, value in optional.items() if install.knows(f"--{name}")}
    command = [str(install.binary), *(_flag(name, value) for name, value in flags.items())]
    python = {
        "shm-region-prefix-name": files.shm_prefix,
        "shm-default-byte-size": _SHM_BYTES,
        "shm-growth-byte-size": _SHM_BYTES,
        "stub-timeout-seconds": 120,
        "thread-pool-size": 64,
    }
    return command + [f"--backend-config=python,{name}={value}" for name, value in python.items()]


def _flag(name: str, value: object) -> str:
    return f"--{name}" if value is None else f"--{name}={value}"
