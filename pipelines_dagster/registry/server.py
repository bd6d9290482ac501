# SPDX-License-Identifier: Apache-2.0
"""MLflow's own REST server over the registry, on this machine: for its UI, and for C-07."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from bls.errors import SkynetError

START_S = 120.0
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # a dozen workers that nothing here asks for
}


@contextmanager
def served(database: str, folder: Path, start_s: float = START_S) -> Iterator[str]:
    """The URL of a server with one worker, on a free port of the loopback interface.

    Args:
        database: SQLAlchemy URI of the registry.
        folder: of the server's log and of artefacts that clients upload to it.

    Raises:
        SkynetError: `registry_unreachable` when it does not answer within `start_s`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--backend-store-uri", database, "--workers", "1"]
    command += ["--artifacts-destination", str(folder / "uploaded")]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "mlflow.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True, env=os.environ | _QUIET
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process, start_s)
        yield url
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], start_s: float) -> None:
    deadline = time.monotonic() + start_s
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health", timeout=1).is_success:
                return
        time.sleep(0.1)
    raise SkynetError("registry_unreachable", "The registry's server did not start.", 503)
