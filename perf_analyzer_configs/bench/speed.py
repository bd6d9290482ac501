# SPDX-License-Identifier: Apache-2.0
"""Inter-token time, time to first token and throughput, each paired with the bare loop.

Bare and served rounds alternate, because a shared machine drifts; ratios are of medians over
rounds.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise

from perf_analyzer_configs.bench.figures import Figure, median
from perf_analyzer_configs.bench.floor import Floor
from perf_analyzer_configs.bench.load import read_reply, steady_rate, together
from perf_analyzer_configs.bench.shapes import long_request, request

ROWS = 4
_PAST = 64  # about where the replies of `request()` begin
_WARM = 8


def inter_token(url: str, floor: Floor, rounds: int, tokens: int = 96) -> list[Figure]:
    """Median gap between tokens of one reply of 4 rows against the bare step."""
    served, bare = [], []
    for _ in range(rounds):
        bare += floor.steps(ROWS, _PAST, tokens)[_WARM:]
        times = asyncio.run(read_reply(url, request(tokens=tokens))).times
        served += [b - a for a, b in pairwise(times)][_WARM:]
    ratio = median(served) / median(bare)
    detail = f"{median(served) * 1e3:.1f} ms served, {median(bare) * 1e3:.1f} ms bare"
    return [
        Figure("inter-token, 1 reply, 4 rows", ratio, "x bare", "<= 1.25", ratio <= 1.25, detail)
    ]


def first_token(url: str, floor: Floor, rounds: int) -> list[Figure]:
    """Time to the first token of a 512-token prefix with 4 rows against one bare prefill."""
    served, whole, chunked = [], [], []
    for number in range(rounds):
        whole.append(floor.prefill(512, 512))
        chunked.append(floor.prefill(512, 128))
        stream = asyncio.run(read_reply(url, long_request(600, number)))
        served.append(stream.ttft_s)
    ratio = median(served) / median(whole)
    detail = (
        f"{median(served) * 1e3:.0f} ms served, bare {median(whole) * 1e3:.0f} ms in one piece, "
        f"{median(chunked) * 1e3:.0f} ms in chunks of 128"
    )
    return [
        Figure(
            "first token, 512-token prefix, 4 rows", ratio, "x bare", "<= 1.3", ratio <= 1.3, detail
        )
    ]


def throughput(url: str, floor: Floor, rounds: int, tokens: int = 120) -> list[Figure]:
    """Tokens per second of 1, 4, 8, 16 replies against the bare loop with as many rows."""
    figures = []
    before = 0.0
    for replies in (1, 4, 8, 16):
        served, bare, gaps = [], [], []
        steps = 24 if replies > 4 else 48
        for _ in range(rounds):
            # The same middle of the replies: positions, not only rows, cost time.
            taken = floor.steps(ROWS * replies, _PAST + (tokens - steps) // 2, steps)
            bare.append(replies * steps / sum(taken))
            streams = asyncio.run(together(url, [request(tokens=tokens)] * replies))
            served.append(steady_rate(streams))
            gaps += [b - a for s in streams for a, b in pairwise(s.times)]
        rate, ratio = median(served), median(served) / median(bare)
        detail = (
            f"{rate:.1f} tok/s served, {median(bare):.1f} bare, "
            f"gap median {median(gaps) * 1e3:.0f} ms, longest {max(gaps) * 1e3:.0f} ms"
        )
        figures += [
            Figure(
                f"throughput, {replies} replies", ratio, "x bare", ">= 0.85", ratio >= 0.85, detail
            ),
            Figure(f"throughput, {replies} replies", rate, "tok/s", "never falls", rate >= before),
        ]
        before = rate
    return figures


def stall(url: str, rounds: int) -> list[Figure]:
    """How much longer one reply's reader waits while another's 512-token prompt is computed."""
    waits, calm = [], []
    for number in range(rounds):
        gaps = asyncio.run(_disturbed(url, number))
        calm.append(median(gaps))
        waits.append(max(gaps) - median(gaps))
    worst = max(waits) * 1e3
    detail = f"median gap {median(calm) * 1e3:.0f} ms, longest wait more, {rounds} rounds"
    name = "wait behind another's 512-token prompt"
    return [Figure(name, worst, "ms", "about 100 ms", worst <= 130, detail)]


async def _disturbed(url: str, number: int) -> list[float]:
    """Gaps of one reply while a long prompt arrives in its middle."""
    reader = asyncio.create_task(read_reply(url, request(tokens=100)))
    await asyncio.sleep(0.6)
    await read_reply(url, long_request(600, 1_000 + number))
    times = (await reader).times
    return [b - a for a, b in pairwise(times)]
