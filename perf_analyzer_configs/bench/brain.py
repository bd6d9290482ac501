# SPDX-License-Identifier: Apache-2.0
"""What the bidding brain adds to a token, and how much of it hides beside the language model.

The same chat with the same three campaigns, by turns with fixed bids and with the controller's.
"""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise
from typing import Any

import httpx

from perf_analyzer_configs.bench.figures import Figure, median
from perf_analyzer_configs.bench.load import read_reply
from perf_analyzer_configs.bench.shapes import request

_NAMES = ("alpine_rail", "harbor_hotels", "stride_shoes")
_FIXED_BID = 1.0
_WARM = 8
_GOAL_MS = 1.0
_SERIES = re.compile(
    r'^nv_inference_(compute_infer_duration_us|exec_count)\{model="(\w+)",[^}]*\} (\S+)$', re.M
)


def added(url: str, metrics_url: str, rounds: int, tokens: int = 96) -> list[Figure]:
    """Median inter-token time of a 4-row reply with the brain, less the same with fixed bids."""
    fixed: list[float] = []
    brain: list[float] = []
    for _ in range(2 * rounds):
        fixed += _gaps(url, tokens, _FIXED_BID)
        brain += _gaps(url, tokens, None)
    before = _busy(metrics_url)
    _gaps(url, tokens, None)
    spent = _per_call(before, _busy(metrics_url))
    path = spent["bid_predictor"] + spent["mpc"]
    more = (median(brain) - median(fixed)) * 1e3
    hidden = 1 - max(0.0, more) / path if path else 0.0
    detail = (
        f"{median(brain) * 1e3:.2f} ms with, {median(fixed) * 1e3:.2f} ms without; beside the "
        f"{spent['llm_step']:.1f} ms of llm_step run bid_predictor {spent['bid_predictor']:.2f} and "
        f"mpc {spent['mpc']:.2f} ms: {hidden:.0%} of them hidden"
    )
    name = "brain added to a token, 1 reply, 4 rows"
    return [Figure(name, more, "ms", f"<= {_GOAL_MS}", more <= _GOAL_MS, detail)]


def _gaps(url: str, tokens: int, bid: float | None) -> list[float]:
    bidders: list[dict[str, Any]] = [{"advertiser": name} for name in _NAMES]
    if bid is not None:
        bidders = [bidder | {"bid": bid} for bidder in bidders]
    body = request(tokens=tokens) | {"skynet": {"bidders": bidders}}
    times = asyncio.run(read_reply(url, body)).times
    return [b - a for a, b in pairwise(times)][_WARM:]


def _busy(metrics_url: str) -> dict[tuple[str, str], float]:
    """(series, model) -> total so far."""
    page = httpx.get(metrics_url, timeout=10).text
    return {(series, model): float(total) for series, model, total in _SERIES.findall(page)}


def _per_call(
    before: dict[tuple[str, str], float], after: dict[tuple[str, str], float]
) -> dict[str, float]:
    """Milliseconds a call of each model, between two readings."""
    grown = {key: after[key] - before.get(key, 0.0) for key in after}
    return {
        model: total / 1e3 / max(1.0, grown["exec_count", model])
        for (series, model), total in grown.items()
        if series == "compute_infer_duration_us"
    }
