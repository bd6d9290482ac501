# SPDX-License-Identifier: Apache-2.0
"""Same request, same seed: identical tokens and charges, alone and among eight other replies."""

from __future__ import annotations

import asyncio
from typing import Any

from perf_analyzer_configs.bench.figures import Figure
from perf_analyzer_configs.bench.load import Stream, read_reply, together
from perf_analyzer_configs.bench.shapes import bidders, request

RUNS = 20
_TEXTS = (
    "Where can I eat in Rome?",
    "Plan a weekend in the mountains.",
    "Which running shoes are good?",
    "How do I brew coffee?",
    "Tell me about night trains.",
    "What is a good dinner for two?",
    "Describe a walk along the coast.",
    "Recommend a hotel near a lake.",
)


def same_reply(url: str) -> list[Figure]:
    """How many of 20 runs differ from the first in any token or charge."""
    asked = request("Plan a weekend trip by train.", tokens=24, bidders=bidders(3, 1.2)) | {
        "seed": 7
    }
    others = [request(text, tokens=30) for text in _TEXTS]
    alone = [asyncio.run(read_reply(url, asked)) for _ in range(RUNS // 2)]
    among = [asyncio.run(together(url, [asked, *others]))[0] for _ in range(RUNS // 2)]
    first = _signature(alone[0])
    different = sum(_signature(stream) != first for stream in alone + among)
    detail = f"{len(first)} tokens each, {RUNS // 2} runs alone, {RUNS // 2} among 8 others"
    return [
        Figure(
            "same request, runs that differ", different, f"of {RUNS}", "0", different == 0, detail
        )
    ]


def _signature(stream: Stream) -> list[Any]:
    return [
        (token["token_id"], [(row["charge"], row["critical_bid"]) for row in token["rows"]])
        for token in stream.tokens()
    ]
