# SPDX-License-Identifier: Apache-2.0
"""One promotion of a subsystem at a time. The system drops the lock with the process that has it,
so a crash never leaves one behind."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bls.errors import SkynetError


@contextmanager
def locked(folder: Path, subsystem: str) -> Iterator[None]:
    """Raises `promotion_running` at once when another process, or thread, has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{subsystem}.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SkynetError(
                "promotion_running", "A promotion of this subsystem is under way.", 409
            ) from None
        yield
