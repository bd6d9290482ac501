# SPDX-License-Identifier: Apache-2.0
"""Which server this is: a name that stays when it restarts, and a run that does not.

The name is in a file of the state folder, which one process holds at a time: two runs of one name
at once would take each other's holds for those of a dead process.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
import uuid
from pathlib import Path

from bls.errors import SkynetError

FILE = "server_id"
_WAIT_S = 10.0
_NAME = re.compile(r"[0-9a-f]{32}")


class Owner:
    """Keeps the name until `close`.

    Raises:
        SkynetError: `budgets_locked` when another process has it; `bad_server_id` for a file that
            was changed.
        OSError: the folder cannot be written.
    """

    def __init__(self, state: Path, wait_s: float = _WAIT_S) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(state / FILE, os.O_RDWR | os.O_CREAT, 0o600)
        self.session = uuid.uuid4().hex
        try:
            _lock(self._descriptor, wait_s)
            self.name = self._read() or self._write(uuid.uuid4().hex)
        except BaseException:
            os.close(self._descriptor)
            raise

    def close(self) -> None:
        os.close(self._descriptor)

    def _read(self) -> str:
        name = os.pread(self._descriptor, 100, 0).decode(errors="replace").strip()
        if name and not _NAME.fullmatch(name):
            raise SkynetError("bad_server_id", "The name of this server was changed.", 500)
        return name

    def _write(self, name: str) -> str:
        os.pwrite(self._descriptor, name.encode(), 0)
        os.fsync(self._descriptor)
        return name


def _lock(descriptor: int, wait_s: float) -> None:
    """A server that is just ending lets go soon."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                message = "Another server runs in this state folder."
                raise SkynetError("budgets_locked", message, 500) from None
            time.sleep(0.1)
