# SPDX-License-Identifier: Apache-2.0
"""A real etcd process on free loopback ports, which can be killed and started again."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.kernels.triton import free_ports


class EtcdServer:
    """Keeps its data in `folder`.

    Args:
        tls: files of the certificate, its key, and the authority behind it.
    """

    def __init__(self, folder: Path, tls: tuple[str, str, str] | None = None) -> None:
        binary = shutil.which("etcd")
        if binary is None:
            pytest.skip("there is no etcd on this machine")
        client, peer = free_ports(2)
        self.address = f"127.0.0.1:{client}"
        self._scheme, self._ca = ("https", tls[2]) if tls else ("http", "")
        url, other = f"{self._scheme}://{self.address}", f"http://127.0.0.1:{peer}"
        self._command = [
            *(binary, "--data-dir", str(folder / "data")),
            *("--listen-client-urls", url, "--advertise-client-urls", url),
            *("--listen-peer-urls", other, "--initial-advertise-peer-urls", other),
            *("--initial-cluster", f"default={other}"),
            *(("--cert-file", tls[0], "--key-file", tls[1]) if tls else ()),
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
                answer = self._client().get("/health")
                if answer.json().get("health") == "true":
                    return
            except (httpx.HTTPError, ValueError):
                pass
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(self._log.read_text()[-2_000:])

    def ask(self, path: str, **body: object) -> dict[str, object]:
        """A request of somebody else's."""
        answer = self._client().post(f"/v3/{path}", json=body)
        answer.raise_for_status()
        found: dict[str, object] = answer.json()
        return found

    def _client(self) -> httpx.Client:
        trust = ssl.create_default_context(cafile=self._ca) if self._ca else True
        host = self.address.replace("127.0.0.1", "localhost") if self._ca else self.address
        return httpx.Client(base_url=f"{self._scheme}://{host}", timeout=5, verify=trust)

    def stop(self) -> None:
        """At once, as a machine that loses its power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None
