# SPDX-License-Identifier: Apache-2.0
"""The gateway's end of one worker: the process, and its socket as asyncio streams."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import subprocess
from typing import Any

import orjson

from bls.explain.options import ExplainOptions
from bls.settings import REPOSITORY

_HEAD = struct.Struct("<I")
_MOST = 1024 * 1024
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_DISABLE_JIT": "1",  # compiling takes 15 s, what it would compile 2 ms
}


class WorkerLine:
    """Frames as in `bls.llm.wire`. Whatever goes wrong, `end` leaves no process behind."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process = process
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, options: ExplainOptions) -> WorkerLine:
        """Start a worker. Raises `OSError` when that is not possible."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = subprocess.Popen(
                    _command(options, theirs.fileno()),
                    pass_fds=(theirs.fileno(),),
                    env=os.environ | _ENVIRONMENT | {"PYTHONPATH": _path()},
                    stdin=subprocess.DEVNULL,
                )
            except OSError:
                ours.close()
                raise
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        return cls(process, reader, writer)

    async def send(self, message: list[Any]) -> None:
        """Raises `OSError` when the worker is gone."""
        body = orjson.dumps(message)
        self._writer.write(_HEAD.pack(len(body)) + body)
        await self._writer.drain()

    async def receive(self) -> list[Any]:
        """The next message. Raises `OSError` or `EOFError` when the worker is gone or babbles."""
        (size,) = _HEAD.unpack(await self._reader.readexactly(_HEAD.size))
        if size > _MOST:
            raise EOFError
        message: list[Any] = orjson.loads(await self._reader.readexactly(size))
        return message

    def end(self) -> None:
        """Kill the worker and forget it."""
        self._writer.close()
        self.process.kill()
        self.process.wait()


def _command(options: ExplainOptions, descriptor: int) -> list[str]:
    command = [options.python, "-m", "bls.explain.worker", f"--socket={descriptor}"]
    command += [f"--tve={options.tve}", f"--encoder={options.encoder}"]
    command += ["--keys"] if options.keys else []
    return command + ([f"--logs={options.logs}"] if options.logs else [])


def _path() -> str:
    before = os.environ.get("PYTHONPATH")
    return os.pathsep.join([before, str(REPOSITORY)]) if before else str(REPOSITORY)
