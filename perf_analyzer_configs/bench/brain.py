# SPDX-License-Identifier: Apache-2.0
"""What the bidding brain adds to a token, and how much of it hides beside the language model.

The same chat with the same three campaigns, by turns with fixed bids and with the controller's.
"""

from __future__ import annotations

import asyncio
import re
import time
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
_SERIES = re.compile(r"^(\w+)(?:\{[^}]*\})? (\S+)$", re.M)


def added(url: str, metrics_url: str, rounds: int, tokens: int = 96) -> list[Figure]:
    """Median inter-token time of a 4-row reply with the brain, less the same with fixed bids.

    Only tokens that the controller bid for count; both replies give the same ones.
    """
    fixed: list[float] = []
    brain: list[float] = []
    before = _totals(metrics_url)
    for _ in range(2 * rounds):
        live = _gaps(url, tokens, None)
        brain += live
        fixed += _gaps(url, tokens, _FIXED_BID)[: len(live)]
    if not brain:
        raise RuntimeError("the controller bid for no token")
    grown = {name: total - before.get(name, 0.0) for name, total in _totals(metrics_url).items()}
    path = _each(grown, "cbp_seconds_total", "cbp_requests_total")
    path += _each(grown, "mpc_seconds_total", "cbp_requests_total")
    step = _each(grown, "cg_decode_seconds_total", "cg_decode_batches_total")
    more = (median(brain) - median(fixed)) * 1e3
    detail = (
        f"{median(brain) * 1e3:.2f} ms with, {median(fixed) * 1e3:.2f} ms without, "
        f"{len(brain)} tokens each; bid_predictor and mpc compute {path:.2f} ms beside the "
        f"model's {step:.1f} ms, glue aside"
    )
    name = "brain added to a token, 1 reply, 4 rows"
    return [Figure(name, more, "ms", f"<= {_GOAL_MS}", more <= _GOAL_MS, detail)]


def _gaps(url: str, tokens: int, bid: float | None) -> list[float]:
    """Seconds between tokens, as long as somebody bids."""
    bidders: list[dict[str, Any]] = [{"advertiser": name} for name in _NAMES]
    if bid is not None:
        bidders = [bidder | {"bid": bid} for bidder in bidders]
    body = request(tokens=tokens) | {"skynet": {"bidders": bidders}}
    stream = asyncio.run(read_reply(url, body))
    sold = [any(row["bid"] > 0 for row in token["rows"]) for token in stream.tokens()]
    last = sold.index(False) if False in sold else len(sold)
    return [b - a for a, b in pairwise(stream.times[:last])][_WARM:]


def _totals(metrics_url: str) -> dict[str, float]:
    """Series -> sum over its labels. Triton's are refreshed once a second."""
    time.sleep(1.5)
    totals: dict[str, float] = {}
    for name, value in _SERIES.findall(httpx.get(metrics_url, timeout=10).text):
        totals[name] = totals.get(name, 0.0) + float(value)
    return totals


def _each(grown: dict[str, float], total: str, count: str) -> float:
    """Milliseconds each."""
    return grown.get(total, 0.0) * 1e3 / max(1.0, grown.get(count, 0.0))
