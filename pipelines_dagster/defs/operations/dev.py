# SPDX-License-Identifier: Apache-2.0
"""`dagster dev` on this machine: webserver, daemon and code server, on loopback; all ended with us.

with DevServer(load_pipeline_settings(), port=0) as server:
    print(server.url)
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable

from bls.errors import SkynetError
from bls.settings import REPOSITORY
from client.launcher.process import Child
from client.launcher.ready import http_ready, wait_until
from client.launcher.running import Children
from pipelines_dagster.defs.operations.broker import ensure_broker
from pipelines_dagster.defs.operations.home import home_of, prepare
from pipelines_dagster.settings import PipelineSettings

MODULE = "pipelines_dagster.definitions"
LOOPBACK = "127.0.0.1"
_GRACE_S = 30.0
_STATE, _WEBHOOK = "SKYNET_STATE", "SKYNET_PIPELINES_WEBHOOK"


class DevServer(Children):
    """Started by `__enter__`, which returns when its page answers.

    Args:
        port: of the page; 0 takes a free one.
        broker: start the bundled broker where no Kafka answers.
    """

    def __init__(
        self,
        settings: PipelineSettings,
        port: int = 0,
        *,
        broker: bool = True,
        progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        super().__init__()
        self.home = home_of(settings)
        self._settings, self._progress, self._with_broker = settings, progress, broker
        self._port = free_port(port)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int:
        """Of `dagster dev`, which leads a session of its own with all its processes."""
        return self._children[-1].pid

    def start(self) -> None:
        serving = self._settings.serving
        prepare(self.home)
        if self._with_broker and (child := ensure_broker(serving)) is not None:
            self._progress(f"started the bundled broker at {serving.kafka_servers}")
            self._children.append(child)
        self._progress("starting dagster dev")
        command = [sys.executable, "-m", "dagster", "dev", "-m", MODULE]
        command += ["--host", LOOPBACK, "--port", str(self._port)]
        dev = Child("dagster", command, self._environment(), serving.logs / "dagster.txt")
        self._children.append(dev)
        wait_until(dev, http_ready(f"{self.url}/server_info"), serving.ready_timeout_s)

    def _environment(self) -> dict[str, str]:
        ours = {
            "DAGSTER_HOME": str(self.home.resolve()),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONUNBUFFERED": "1",
            _STATE: str(self._settings.serving.state.resolve()),
        }
        return {_WEBHOOK: "log", **os.environ, **ours}

    def stop(self) -> None:
        """Ctrl-C to `dagster dev`, which ends its own; what is left of its session is killed."""
        while self._children:
            child = self._children.pop()
            if child.name == "dagster":
                _interrupt(child)
            child.stop(5.0)


def free_port(port: int) -> int:
    """`port`, or a free one for 0. Raises `port_in_use`."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            raise SkynetError(
                "port_in_use", f"Port {port} is taken; choose another.", 500
            ) from None
        return int(listener.getsockname()[1])


def _interrupt(child: Child) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGINT)
    deadline = time.monotonic() + _GRACE_S
    while child.exit_code is None and time.monotonic() < deadline:
        time.sleep(0.1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
