# SPDX-License-Identifier: Apache-2.0
"""Frames between the LLM worker and its supervisor: a length, then a JSON array.

To the worker:   [id, op, conv, payload...]       (a job)
From the worker: ["span", id, start, rows] | ["loaded", id, sha256, seconds]
                 | ["error", id, wire text] | ["stats", {...}] | ["ready"]
"""

from __future__ import annotations

import socket
import struct
from typing import Any

import orjson

from bls.contracts import Op
from bls.llm.jobs import Again, Away, End, Job, Load, Prefill, Reply, Step

_AWAY = max(Op) + 1
_LOAD = max(Op) + 2
_HEAD = struct.Struct("<I")
_MOST = 64 * 1024 * 1024


def send_frame(line: socket.socket, message: list[Any]) -> None:
    """Write one message; blocks when the other side is slow."""
    body = orjson.dumps(message)
    line.sendall(_HEAD.pack(len(body)) + body)


def receive_frame(line: socket.socket) -> list[Any] | None:
    """The next message, or None when the other side is gone."""
    head = _exactly(line, _HEAD.size)
    if head is None:
        return None
    (size,) = _HEAD.unpack(head)
    if size > _MOST:
        raise ValueError(f"frame of {size} bytes")
    body = _exactly(line, size)
    if body is None:
        return None
    message: list[Any] = orjson.loads(body)
    return message


def _exactly(line: socket.socket, size: int) -> bytes | None:
    parts = []
    while size:
        try:
            part = line.recv(size)
        except ConnectionError:
            return None
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def pack_job(number: int, job: Job) -> list[Any]:
    """A job as a message; its reply stays behind under `number`."""
    if isinstance(job, Prefill):
        return [number, int(Op.PREFILL), job.conv, job.salt, job.rows, job.adapters]
    if isinstance(job, Step):
        return [number, int(Op.STEP), job.conv, job.rows, job.token]
    if isinstance(job, Again):
        return [number, int(Op.AGAIN), job.conv, job.index]
    if isinstance(job, Away):
        return [number, _AWAY, job.conv]
    if isinstance(job, Load):
        return [number, _LOAD, job.adapter, job.folder, job.sha256]
    return [number, int(Op.END), job.conv]


def unpack_job(message: list[Any], reply: Reply) -> Job:
    """The job of a message."""
    _, op, conv, *rest = message
    if op == Op.PREFILL:
        salt, rows, adapters = rest
        return Prefill(conv, salt, tuple(tuple(row) for row in rows), reply, tuple(adapters))
    if op == Op.STEP:
        rows, token = rest
        return Step(conv, rows, token, reply)
    if op == Op.AGAIN:
        (index,) = rest
        return Again(conv, index, reply)
    if op == _AWAY:
        return Away(conv, reply)
    if op == _LOAD:
        folder, sha256 = rest
        return Load(conv, folder, sha256, reply)
    return End(conv, reply)
