# SPDX-License-Identifier: Apache-2.0
"""A real Triton server with `tve` alone, serving a version made for the test."""

from __future__ import annotations

import json
import os
import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tritonclient import grpc

from bls.settings import REPOSITORY, Settings
from client.launcher.flags import ServerFiles, triton_command
from client.launcher.install import find_triton
from client.launcher.ports import LOOPBACK, check_ports
from client.launcher.process import Child
from client.launcher.ready import triton_ready, wait_until
from client.launcher.stack import site_folders
from export.manifest import file_sha256
from tests.tve_server.stub import write_version


@dataclass
class TveServer:
    """The running server; `models` is the folder its versions are in."""

    child: Child
    address: str
    metrics_url: str
    models: Path
    logs: Path

    def client(self) -> grpc.InferenceServerClient:
        return grpc.InferenceServerClient(self.address)

    def series(self, name: str) -> dict[str, float]:
        """Labels, as they are printed, to value."""
        with urllib.request.urlopen(self.metrics_url, timeout=5) as page:
            text = page.read().decode()
        found = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", text, re.MULTILINE)
        return {labels: float(value) for labels, value in found}

    def point_at(self, folder: Path) -> None:
        """Make that version the current one, as an operator does: one rename."""
        sha256 = file_sha256(folder / "manifest.json")
        fresh = self.models / "current.new"
        fresh.write_text(json.dumps({"folder": folder.name, "sha256": sha256}))
        fresh.replace(self.models / "current.json")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TveServer]:
    folder = tmp_path_factory.mktemp("tve")
    (folder / "repository").mkdir()
    (folder / "repository" / "tve").symlink_to(REPOSITORY / "model_repository" / "tve")
    settings = check_ports(
        Settings(
            state=folder / "state",
            tve_model=str(folder / "models"),
            port=0,
            triton_grpc_port=0,
            triton_metrics_port=0,
        )
    )
    running = _start(folder, settings)
    try:
        running.point_at(write_version(running.models / "first"))
        wait_until(running.child, triton_ready(running.address), 30)
        yield running
    finally:
        running.child.stop(20)


def _start(folder: Path, settings: Settings) -> TveServer:
    install = find_triton()
    python = folder / "backends" / "python"
    python.mkdir(parents=True)
    for file in (*(install.backends / "python").iterdir(), install.stub):
        if file is not None and not file.name.startswith("__"):
            (python / file.name).symlink_to(file)
    run = ServerFiles(folder / "repository", python.parent, f"tve-{os.getpid()}-")
    environment = {name: v for name, v in os.environ.items() if not name.startswith("SKYNET_")}
    environment |= {
        "SKYNET_STATE": str(settings.state),
        "SKYNET_TVE_MODEL": settings.tve_model,
        "SKYNET_SITE": os.pathsep.join(site_folders()),
        "LD_LIBRARY_PATH": str(install.libraries or ""),
    }
    child = Child(
        "tritonserver", triton_command(install, settings, run), environment, folder / "server.txt"
    )
    return TveServer(
        child,
        f"{LOOPBACK}:{settings.triton_grpc_port}",
        f"http://{LOOPBACK}:{settings.triton_metrics_port}/metrics",
        Path(settings.tve_model),
        settings.logs,
    )
