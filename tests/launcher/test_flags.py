# SPDX-License-Identifier: Apache-2.0
"""The server's command line: every safety flag is there, optional ones only where known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bls.settings import Settings
from client.launcher.flags import ServerFiles, triton_command
from client.launcher.install import TritonInstall

FILES = ServerFiles(Path("/models"), Path("/backends"), "run-x")
SAFE = {
    "model-repository": "/models",
    "backend-directory": "/backends",
    "model-control-mode": "none",
    "disable-auto-complete-config": None,
    "strict-readiness": "true",
    "exit-on-error": "true",
    "allow-http": "false",
    "grpc-address": "127.0.0.1",
    "grpc-port": "18001",
    "metrics-address": "127.0.0.1",
    "metrics-port": "18002",
}
OPTIONAL = ("--grpc-max-response-pool-size", "--allow-client-shm")


def server(folder: Path, *known: str) -> TritonInstall:
    """A server whose help names the flags `known`."""
    binary = folder / "tritonserver"
    binary.write_text(f"#!/bin/sh\necho '{' '.join(known)}'\n")
    binary.chmod(0o755)
    return TritonInstall(binary, folder)


def flags(command: list[str]) -> dict[str, str | None]:
    """Flag -> value, None for a bare flag; without the backend configuration."""
    found: dict[str, str | None] = {}
    for word in command[1:]:
        name, _, value = word.removeprefix("--").partition("=")
        assert name == "backend-config" or name not in found, f"{name} is given twice"
        found[name] = value or None
    return found


def backend_config(command: list[str]) -> dict[str, str]:
    head = "--backend-config=python,"
    words = [word.removeprefix(head) for word in command if word.startswith(head)]
    return dict(word.split("=", 1) for word in words)


def test_safety_flags_are_explicit(tmp_path: Path) -> None:
    command = triton_command(server(tmp_path), Settings(), FILES)
    given = flags(command)
    assert command[0] == str(tmp_path / "tritonserver")
    assert SAFE.items() <= given.items()


def test_pools_and_waits_are_bounded(tmp_path: Path) -> None:
    command = triton_command(server(tmp_path), Settings(), FILES)
    given, python = flags(command), backend_config(command)
    assert 1 <= int(given["grpc-infer-allocation-pool-size"] or 0) <= 1024
    assert 1 <= int(given["exit-timeout-secs"] or 0) <= 30
    assert {name: int(python[name]) > 0 for name in python if name != "shm-region-prefix-name"}
    assert python["shm-region-prefix-name"] == "run-x"


def test_unneeded_protocols_are_locked_with_a_fresh_key(tmp_path: Path) -> None:
    install, keys = server(tmp_path), set()
    for _ in range(2):
        lock = flags(triton_command(install, Settings(), FILES))["grpc-restricted-protocol"]
        found = re.fullmatch(r"([a-z,-]+):lock=([0-9a-f]{32})", lock or "")
        assert found is not None
        names, key = found.groups()
        assert names.split(",") == ["shared-memory", "model-repository", "trace", "logging"]
        keys.add(key)
    assert len(keys) == 2


@pytest.mark.parametrize("known", [(), OPTIONAL[:1], OPTIONAL[1:], OPTIONAL])
def test_optional_flags_only_where_the_help_names_them(
    tmp_path: Path, known: tuple[str, ...]
) -> None:
    given = flags(triton_command(server(tmp_path, *known), Settings(), FILES))
    assert {flag for flag in OPTIONAL if flag.removeprefix("--") in given} == set(known)
    if OPTIONAL[1] in known:
        assert given["allow-client-shm"] == "false"


def test_ports_come_from_the_settings_and_the_address_is_always_loopback(tmp_path: Path) -> None:
    settings = Settings(host="0.0.0.0", triton_grpc_port=7001, triton_metrics_port=7002)
    given = flags(triton_command(server(tmp_path), settings, FILES))
    assert given["grpc-address"] == given["metrics-address"] == "127.0.0.1"
    assert (given["grpc-port"], given["metrics-port"]) == ("7001", "7002")
