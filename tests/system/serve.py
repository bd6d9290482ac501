# SPDX-License-Identifier: Apache-2.0
"""`skynet` as a person runs it: a process of its own, free ports, a state folder of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bls.settings import REPOSITORY, Settings
from client.launcher.ports import check_ports

SKYNET = [sys.executable, "-m", "client.cli"]


def own_environment(state: Path, **more: str) -> dict[str, str]:
    """This process's environment with free ports and `state`, and no other setting of ours."""
    ports = check_ports(Settings(port=0, triton_grpc_port=0, triton_metrics_port=0))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SKYNET_")}
    ours = {
        "SKYNET_STATE": str(state),
        "SKYNET_EVENTS": "0",
        "SKYNET_KAFKA_PORT": "0",
        "SKYNET_PORT": str(ports.port),
        "SKYNET_TRITON_GRPC_PORT": str(ports.triton_grpc_port),
        "SKYNET_TRITON_METRICS_PORT": str(ports.triton_metrics_port),
    }
    return kept | ours | more


def skynet(
    *words: str, environment: dict[str, str], timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*SKYNET, *words],
        env=environment,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@dataclass
class Served:
    """A running `skynet serve`."""

    state: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    run: str = ""
    family: list[psutil.Process] = field(default_factory=list)

    @classmethod
    def start(cls, state: Path, **more: str) -> Served:
        """Start it and wait until it says that it is ready."""
        state.mkdir(parents=True, exist_ok=True)
        environment = own_environment(state, **more)
        with (state / "stderr.txt").open("wb") as output:
            process = subprocess.Popen(
                [*SKYNET, "serve"], env=environment, cwd=REPOSITORY, stderr=output
            )
        served = cls(state, environment, process)
        try:
            served._wait_until_ready()
        except AssertionError:
            served._take_stock()
            served.kill()
            raise
        served._take_stock()
        assert len(served.run_folders) == 1, served.run_folders
        return served

    def _take_stock(self) -> None:
        """Note what it has begun, as far as it got."""
        self.run = "".join(self.run_folders[:1])
        with contextlib.suppress(psutil.NoSuchProcess):
            self.family = psutil.Process(self.process.pid).children(recursive=True)

    def _wait_until_ready(self, seconds: float = 180.0) -> None:
        deadline = time.monotonic() + seconds
        while "ready at" not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)

    @property
    def said(self) -> str:
        return (self.state / "stderr.txt").read_text()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['SKYNET_PORT']}"

    def end(self, how: signal.Signals, seconds: float = 10.0) -> int:
        """Send the signal; the exit code."""
        self.process.send_signal(how)
        return self.process.wait(seconds)

    def survivors(self, seconds: float = 0.5) -> list[str]:
        """What still runs of it after waiting that long."""
        deadline = time.monotonic() + seconds
        while (alive := [p for p in self.family if _runs(p)]) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [process.name() for process in alive]

    @property
    def segments(self) -> list[str]:
        """Its shared memory."""
        if not self.run:
            return []
        return [path.name for path in Path("/dev/shm").glob(f"*{self.run}*")]

    @property
    def run_folders(self) -> list[str]:
        return [path.name for path in self.state.glob("run-*")]

    def kill(self) -> None:
        """End whatever is left, for the end of a test that failed."""
        for process in (self.process, *self.family):
            if process.poll() is None if isinstance(process, subprocess.Popen) else _runs(process):
                process.kill()
        self.process.wait(10)
        for segment in self.segments:
            Path("/dev/shm", segment).unlink(missing_ok=True)


def _runs(process: psutil.Process) -> bool:
    """Alive, and no zombie that nobody has collected."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
