# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL server on a socket of its own; as root it runs as another user."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

_BIN = Path(os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin"))
BINARY = shutil.which("postgres") or shutil.which(str(_BIN / "postgres"))
_START_S = 60.0

needs_postgres = pytest.mark.skipif(
    BINARY is None, reason="postgres is not installed: apt-get install postgresql"
)


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom to run as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("postgres cannot run as root, and there is no other user")


class Postgres:
    """A server with an empty cluster, until `stop`. No TCP: its socket is in its folder."""

    def __init__(self) -> None:
        assert BINARY is not None
        self._user = _unprivileged()
        self._numbers = itertools.count(1)
        self.folder = Path(tempfile.mkdtemp(prefix="skynet-pg-"))
        self._bin = Path(BINARY).resolve().parent
        if self._user is not None:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        made = ["initdb", "-D", str(self.folder / "data"), "-U", "skynet", "-A", "trust", "-N"]
        subprocess.run(self._command(*made), check=True, capture_output=True, **self._as())
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, again after `kill`; returns when it answers."""
        options = {"listen_addresses": "", "unix_socket_directories": str(self.folder)}
        options |= {"max_connections": "100", "shared_buffers": "16MB", "fsync": "off"}
        command = self._command("postgres", "-D", str(self.folder / "data"))
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._as()
        )
        deadline = time.monotonic() + _START_S
        while True:
            try:
                return self._connect("postgres").close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"skynet_{next(self._numbers)}"
        with self._connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://skynet@/{name}?host={self.folder}"

    def kill(self) -> None:
        """At once, as a crash: open transactions are lost."""
        self._end()

    def stop(self) -> None:
        """End it and remove its folder."""
        self._end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGQUIT)  # an "immediate shutdown": no checkpoint
            process.wait(timeout=30)

    def _connect(self, name: str) -> psycopg.Connection[tuple[object, ...]]:
        where = {"host": str(self.folder), "user": "skynet", "dbname": name}
        return psycopg.connect(**where, autocommit=True, connect_timeout=2)

    def _command(self, name: str, *arguments: str) -> list[str]:
        return [str(self._bin / name), *arguments]

    def _as(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        who = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        return {**who, "cwd": "/"}
