# SPDX-License-Identifier: Apache-2.0
"""The Triton server is found by name, on PATH or in the wheel; a missing one is a typed error."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bls.errors import SkynetError
from client.launcher import install as module
from client.launcher.install import find_triton


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """The layout of the NGC container: <root>/bin/tritonserver beside <root>/backends."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "backends" / "python").mkdir(parents=True)
    binary = tmp_path / "bin" / "tritonserver"
    binary.write_text("#!/bin/sh\necho 'usage: --allow-client-shm'\n")
    binary.chmod(0o755)
    return binary


def test_named_server_wins(container: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = find_triton(str(container))
    assert found.binary == container
    assert found.backends == container.parents[1] / "backends"
    assert found.libraries is None and found.stub is None


def test_container_on_path(container: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(container.parent))
    assert find_triton().backends == container.parents[1] / "backends"


def test_link_on_path_leads_to_the_real_backends(
    container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = tmp_path / "usr" / "bin"
    links.mkdir(parents=True)
    (links / "tritonserver").symlink_to(container)
    monkeypatch.setenv("PATH", str(links))
    assert find_triton().backends == container.parents[1] / "backends"


def test_server_without_backends_beside_it_uses_the_container_folder(tmp_path: Path) -> None:
    binary = tmp_path / "tritonserver"
    binary.touch()
    assert find_triton(str(binary)).backends == Path("/opt/tritonserver/backends")


def test_missing_named_server() -> None:
    with pytest.raises(SkynetError, match="No tritonserver at /no/such") as caught:
        find_triton("/no/such/tritonserver")
    assert caught.value.code == "triton_missing"


def test_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = find_triton()
    assert found.binary.is_file() and (found.backends / "python").is_dir()
    assert found.libraries is not None and found.libraries.is_dir()
    assert found.stub is not None and found.stub.is_file()


def test_neither_path_nor_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(SkynetError, match="make setup") as caught:
        find_triton()
    assert caught.value.code == "triton_missing"


def test_missing_libpython_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def ldd(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        version = Path(command[1]).parent.name
        return subprocess.CompletedProcess(command, 0, f"libpython{version}.so.1.0 => not found")

    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(module.subprocess, "run", ldd)
    with pytest.raises(SkynetError, match="apt-get install libpython3") as caught:
        find_triton()
    assert caught.value.code == "libpython_missing"


def test_knows_a_flag_its_help_names(container: Path) -> None:
    found = find_triton(str(container))
    assert found.knows("--allow-client-shm")
    assert not found.knows("--grpc-max-response-pool-size")
