# SPDX-License-Identifier: Apache-2.0
"""Many replies, one in twenty cut mid-stream: no error in the rest, nothing grows."""

from __future__ import annotations

import asyncio
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from client.launcher.stack import Stack
from perf_analyzer_configs.bench.figures import Figure
from perf_analyzer_configs.bench.load import read_reply
from perf_analyzer_configs.bench.shapes import request

_AT_ONCE = 12
_SETTLED = 100
_MOST_GROWTH = 0.05
_TEXTS = ("Plan a weekend trip.", "Where to eat?", "Which shoes?", "Good coffee?", "A short story.")


@dataclass(frozen=True)
class Footprint:
    """What the stack holds: bytes of its own memory and of shared memory, open descriptors."""

    resident: int
    shared: int
    files: int


def footprint(stack: Stack) -> Footprint:
    """All processes of the stack together, and its segments in /dev/shm."""
    processes = []
    for name in ("tritonserver", "gateway"):
        process = psutil.Process(stack.child(name).pid)
        processes += [process, *process.children(recursive=True)]
    memory = [process.memory_full_info() for process in processes]
    return Footprint(
        sum(m.uss for m in memory),
        sum(segment.stat().st_size for segment in Path("/dev/shm").iterdir()),
        sum(process.num_fds() for process in processes),
    )


def many_replies(stack: Stack, replies: int) -> list[Figure]:
    """Errors among the uncut replies, and growth after the first hundred."""
    errors, settled = asyncio.run(_run(stack, replies))
    end = footprint(stack)
    growth = end.resident / settled.resident - 1
    detail = f"{settled.resident >> 20} -> {end.resident >> 20} MiB"
    files = f"{settled.files} -> {end.files}"
    shared = f"{settled.shared >> 20} -> {end.shared >> 20} MiB"
    flat = abs(end.files - settled.files) <= 16
    return [
        Figure(f"churn, errors in {replies} replies", errors, "replies", "0", errors == 0),
        Figure(
            "churn, resident memory",
            growth * 100,
            "% growth",
            "flat (< 5 %)",
            growth < _MOST_GROWTH,
            detail,
        ),
        Figure(
            "churn, /dev/shm",
            (end.shared - settled.shared) / 2**20,
            "MiB",
            "flat",
            end.shared <= settled.shared,
            shared,
        ),
        Figure("churn, open files", end.files - settled.files, "files", "flat", flat, files),
    ]


async def _run(stack: Stack, replies: int) -> tuple[int, Footprint]:
    """Errors among uncut replies, and the footprint once `_SETTLED` replies are over."""
    draw = random.Random(1)
    slots = asyncio.Semaphore(_AT_ONCE)
    errors = 0

    async def one(number: int) -> None:
        nonlocal errors
        # Two lengths, so that the first hundred touch what the caches will hold for good.
        text = draw.choice(_TEXTS) * draw.choice((1, 20, 20, 20))
        body = request(text, tokens=draw.randint(4, 12))
        cut = draw.randint(1, 3) if number % 20 == 7 else None
        async with slots:
            stream = await read_reply(stack.gateway_url, body | {"user": f"u{number % 40}"}, cut)
        if cut is None and stream.failed:
            errors += 1
        if number % 50 == 0:
            print(f"[bench] churn {number}/{replies}", file=sys.stderr, flush=True)

    await asyncio.gather(*(one(n) for n in range(min(_SETTLED, replies))))
    await asyncio.sleep(2)
    settled = footprint(stack)
    await asyncio.gather(*(one(n) for n in range(_SETTLED, replies)))
    await asyncio.sleep(2)
    return errors, settled
