# SPDX-License-Identifier: Apache-2.0
"""Starts a worker process that shares a socket with us, and nothing else of ours."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence

from bls.settings import REPOSITORY

_PR_SET_PDEATHSIG = 1


def spawn(
    python: str,
    module: str,
    options: Mapping[str, object],
    *,
    descriptors: Sequence[int] = (),
    buffer_bytes: int = 0,
    environment: Mapping[str, str] | None = None,
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """`python -m module --socket=FD --name=value ...` and our end of the line. Raises `OSError`.

    Call it on a thread that lives as long as the worker may: with `die_with_parent` the kernel
    kills a worker when the thread that started it ends.

    Args:
        descriptors: open ones that the worker inherits besides its socket.
        buffer_bytes: of the socket; 0 keeps the system's.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        if buffer_bytes:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
        named = {"socket": theirs.fileno()} | dict(options)
        command = [python, "-m", module, *(f"--{name}={value}" for name, value in named.items())]
        try:
            process = subprocess.Popen(
                command,
                pass_fds=(theirs.fileno(), *descriptors),
                env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | dict(environment or {}),
            )
        except OSError:
            ours.close()
            raise
    return process, ours


def die_with_parent() -> None:
    """In a worker: end when whoever started it ends, and leave an interrupt to them."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
