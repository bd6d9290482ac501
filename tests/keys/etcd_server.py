# SPDX-License-Identifier: Apache-2.0
"""A real etcd process on free loopback ports, which can be killed and started again."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest


class EtcdServer:
    """Keeps its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("etcd")
        if binary is None:
            pytest.skip("there is no etcd on this machine")
        client, peer = _free_ports(2)
        self.address = f"127.0.0.1:{client}"
        url, other = f"http://{self.address}", f"http://127.0.0.1:{peer}"
        self._command = [
            *(binary, "--data-dir", str(folder / "data")),
            *("--listen-client-urls", url, "--advertise-client-urls", url),
            *("--listen-peer-urls", other, "--initial-advertise-peer-urls", other),
            *("--initial-cluster", f"default={other}"),
        ]
        self._log = folder / "etcd.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"etcd://{self.address}"

    def start(self) -> None:
        """Returns when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                answer = httpx.get(f"http://{self.address}/health", timeout=1)
                if answer.json().get("health") == "true":
                    return
            except (httpx.HTTPError, ValueError):
                pass
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(self._log.read_text()[-2_000:])

    def ask(self, path: str, **body: object) -> dict[str, object]:
        """A request of somebody else's."""
        answer = httpx.post(f"http://{self.address}/v3/{path}", json=body, timeout=5)
        answer.raise_for_status()
        found: dict[str, object] = answer.json()
        return found

    def stop(self) -> None:
        """At once, as a machine that loses its power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
