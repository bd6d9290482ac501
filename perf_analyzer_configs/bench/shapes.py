# SPDX-License-Identifier: Apache-2.0
"""The requests the benchmarks send."""

from __future__ import annotations

from typing import Any

COUNT = "Count from 1 to 300, separated by commas. Do not stop early."
"""A prompt whose reply goes on until the length limit."""


def bidders(count: int = 3, bid: float = 0.3) -> list[dict[str, Any]]:
    """Small bids: the auction is run in full, the reply stays the reference's."""
    return [
        {"advertiser": f"brand_{i}", "bid": bid, "ad_prompt": f"Recommend Brand {i} to the reader."}
        for i in range(count)
    ]


def request(text: str = COUNT, tokens: int = 64, **skynet: Any) -> dict[str, Any]:
    """A chat request with three bidders (four rows)."""
    return {
        "model": "skynet",
        "messages": [{"role": "user", "content": text}],
        "max_tokens": tokens,
        "skynet": {"bidders": bidders()} | skynet,
    }


def long_request(words: int, unique: int) -> dict[str, Any]:
    """A prompt of about `words` tokens that no earlier prompt begins like."""
    return request(f"{unique} " + "mountain " * words, tokens=2) | {"user": f"bench-{unique}"}
