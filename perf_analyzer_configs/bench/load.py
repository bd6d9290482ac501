# SPDX-License-Identifier: Apache-2.0
"""A reader that costs little: raw HTTP over asyncio, one time stamp per token chunk.

It shares the cores with the server, so it parses nothing while the stream runs.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_TOKEN = b'"token_id"'
_LIMIT = 1 << 20


@dataclass
class Stream:
    """What one reply looked like from outside; times are perf_counter seconds."""

    sent: float
    status: int = 0
    times: list[float] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    done: bool = False

    @property
    def ttft_s(self) -> float:
        return self.times[0] - self.sent

    def tokens(self) -> list[dict[str, Any]]:
        """The auction field of every token."""
        chunks = [json.loads(line.removeprefix(b"data: ")) for line in self.lines if _TOKEN in line]
        return [chunk["skynet"] for chunk in chunks]

    @property
    def failed(self) -> bool:
        return self.status != 200 or not self.done or any(b'"error"' in x for x in self.lines)


async def read_reply(url: str, body: dict[str, Any], stop_after: int | None = None) -> Stream:
    """One reply; with `stop_after` the reader hangs up after that many tokens."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=_LIMIT)
    raw = json.dumps(body | {"stream": True}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {parts.netloc}\r\nconnection: close\r\n"
        f"content-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n"
    )
    stream = Stream(sent=time.perf_counter())
    try:
        writer.write(head.encode() + raw)
        stream.status = int((await reader.readline()).split()[1])
        while line := await reader.readline():
            if _TOKEN in line:
                stream.times.append(time.perf_counter())
                if stop_after is not None and len(stream.times) >= stop_after:
                    break
            if line.startswith(b"data:"):
                stream.lines.append(line.strip())
            if line.startswith(b"data: [DONE]"):
                stream.done = True
    finally:
        writer.close()
    return stream


async def together(url: str, bodies: list[dict[str, Any]]) -> list[Stream]:
    """Replies at the same time."""
    return await asyncio.gather(*(read_reply(url, body) for body in bodies))


def steady_rate(streams: list[Stream]) -> float:
    """Tokens per second of all replies together, while every one of them was being written."""
    begin = max(stream.times[0] for stream in streams)
    end = min(stream.times[-1] for stream in streams)
    inside = sum(begin < t <= end for stream in streams for t in stream.times)
    return inside / (end - begin)
