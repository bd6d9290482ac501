# SPDX-License-Identifier: Apache-2.0
"""One promotion of a subsystem at a time. The system drops the lock with the process that has it,
so a crash never leaves one behind."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bls.errors import SkynetError

WAIT_S = 5.0
"""For somebody who only looks whether there is something to recover."""
_POLL_S = 0.05


@contextmanager
def locked(folder: Path, subsystem: str, wait_s: float = WAIT_S) -> Iterator[None]:
    """Raises `promotion_running` when another process, or thread, keeps it for `wait_s`."""
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_s
    with (folder / f"{subsystem}.lock").open("ab") as file:
        while not _taken(file):
            if time.monotonic() >= deadline:
                raise SkynetError(
                    "promotion_running", "A promotion of this subsystem is under way.", 409
                )
            time.sleep(_POLL_S)
        yield


def _taken(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
