# SPDX-License-Identifier: Apache-2.0
"""One process per folder: an advisory lock on a file, waited for so long that a restart gets it.

The kernel gives it back when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import IO

_RETRY_S = 0.1


def lock_file(path: Path, wait_s: float) -> IO[bytes] | None:
    """The locked file, which holds the lock until it is closed; None when another one stays."""
    file = path.open("ab")
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError:
            if time.monotonic() > deadline:
                file.close()
                return None
            time.sleep(_RETRY_S)
