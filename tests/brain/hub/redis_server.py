# SPDX-License-Identifier: Apache-2.0
"""Real `redis-server` processes on free loopback ports: alone, or a primary with its sentinel."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

BINARY = shutil.which("redis-server")
GROUP = "windows"

needs_redis = pytest.mark.skipif(
    BINARY is None, reason="redis-server is not installed: apt-get install redis-server"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """One process; `options` are lines of its configuration file."""

    def __init__(self, folder: Path, *options: str, port: int = 0, sentinel: bool = False) -> None:
        assert BINARY is not None
        self.port = port or free_port()
        home = folder / f"redis-{self.port}"
        home.mkdir(exist_ok=True)
        lines = (f"port {self.port}", "bind 127.0.0.1", f"dir {home}", *options)
        config = home / "redis.conf"
        config.write_text("\n".join(lines) + "\n")
        command = [BINARY, str(config), *(["--sentinel"] if sentinel else [])]
        with (home / "log.txt").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.client = Redis(port=self.port)
        self._wait()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def kill(self) -> None:
        """As a crash does it, by its process id."""
        self.process.kill()
        self.process.wait(10)
        self.client.close()

    def _wait(self, seconds: float = 10.0) -> None:
        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            try:
                self.client.ping()
                return
            except RedisConnectionError:
                time.sleep(0.02)
        raise RuntimeError("redis-server did not start")


def plain(folder: Path, port: int = 0) -> RedisServer:
    """Keeps nothing on disk."""
    return RedisServer(folder, 'save ""', "appendonly no", port=port)


class Group:
    """A primary, its replica, and a sentinel that promotes the replica half a second after."""

    def __init__(self, folder: Path) -> None:
        self.primary = plain(folder)
        follow = f"replicaof 127.0.0.1 {self.primary.port}"
        self.replica = RedisServer(folder, 'save ""', "appendonly no", follow)
        self.sentinel = RedisServer(
            folder,
            f"sentinel monitor {GROUP} 127.0.0.1 {self.primary.port} 1",
            f"sentinel down-after-milliseconds {GROUP} 500",
            f"sentinel failover-timeout {GROUP} 5000",
            sentinel=True,
        )

    @property
    def url(self) -> str:
        return f"sentinel://127.0.0.1:{self.sentinel.port}/{GROUP}"

    def wait_until_watched(self, seconds: float = 15.0) -> None:
        """The sentinel knows the replica, and the replica has the primary's data."""
        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            known = self.sentinel.client.execute_command("SENTINEL", "REPLICAS", GROUP)
            state = self.replica.client.info("replication")
            if known and state["master_link_status"] == "up":
                return
            time.sleep(0.05)
        raise RuntimeError("the replica is not watched")

    def stop(self) -> None:
        for server in (self.sentinel, self.replica, self.primary):
            server.kill()
