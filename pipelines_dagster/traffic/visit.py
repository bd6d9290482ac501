# SPDX-License-Identifier: Apache-2.0
"""One simulated visit: a reply is read as it comes, its competitors bid on, its readers react."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing
from typing import Protocol

import httpx
import numpy as np

from bls.limits import LIMITS
from client.replies import Receipt, ReplyError, Token
from pipelines_dagster.traffic.asks import Ask
from pipelines_dagster.traffic.gateway import LiveGateway
from pipelines_dagster.traffic.readers import Reaction
from pipelines_dagster.traffic.report import TrafficReport

_UPDATE_S = 1.05 / LIMITS.bid_updates_per_s
_ENDED = "conversation_not_found"


class React(Protocol):
    """`Readers.react`."""

    def __call__(
        self,
        messages: list[dict[str, str]],
        creative: str,
        delivered: int,
        rng: np.random.Generator,
    ) -> Reaction: ...


class Visit:
    """One reply.

    Args:
        react: None where nobody reports clicks.
    """

    def __init__(
        self, ask: Ask, gateway: LiveGateway, react: React | None, report: TrafficReport
    ) -> None:
        self._ask, self._gateway, self._react, self._report = ask, gateway, react, report
        self._next = 0
        self._over = False
        self._came = asyncio.Event()

    async def run(self) -> None:
        """Never raises for what the server does: a failure is counted by its code."""
        bidding = asyncio.create_task(self._bid())
        try:
            receipt = await self._read()
        except (ReplyError, httpx.HTTPError) as fault:
            self._failed(fault)
            receipt = None
        finally:
            self._over = True
            self._came.set()
            await bidding
        if receipt is not None and self._react is not None:
            await self._click(receipt, self._react)

    async def _read(self) -> Receipt | None:
        report, began, last, receipt = self._report, time.monotonic(), 0.0, None
        async with aclosing(self._gateway.reply(self._ask.body())) as events:
            async for event in events:
                if isinstance(event, Token):
                    now = time.monotonic()
                    times, since = (report.gaps_ms, last) if last else (report.first_ms, began)
                    times.append(1e3 * (now - since))
                    last, self._next = now, event.index + 1
                    self._came.set()
                    with report.lock:
                        report.tokens += 1
                        report.sponsored += event.sponsored
                elif isinstance(event, Receipt):
                    receipt = event
        with report.lock:
            report.replies += 1
        return receipt

    async def _bid(self) -> None:
        """After each token the competitors' bids for the next, as often as the portal takes."""
        while True:
            await self._came.wait()
            self._came.clear()
            if self._over or self._next >= self._ask.max_tokens:
                return
            bids = self._ask.rivals.bids(self._next)
            try:
                await self._gateway.bid(self._ask.conv_id, bids)
                self._report.updates += 1
            except ReplyError as fault:
                if fault.code != _ENDED:
                    self._failed(fault)
                self._report.late += fault.code == _ENDED
            except httpx.HTTPError as fault:
                self._failed(fault)
            await asyncio.sleep(_UPDATE_S)

    async def _click(self, receipt: Receipt, react: React) -> None:
        """Readers see what was delivered: the tokens each receipt line says it influenced."""
        words: Mapping[str, str] = self._ask.words()
        rng = np.random.default_rng([*self._ask.seed, 1])
        hosted = {campaign.advertiser for campaign in self._ask.hosted}
        for line in receipt.lines:
            if line.tokens_influenced == 0 and line.advertiser not in hosted:
                continue
            done = react(self._ask.messages, words[line.advertiser], line.tokens_influenced, rng)
            event = {
                "conv_id": receipt.conv_id,
                "request_id": receipt.request_id,
                "advertiser": line.advertiser,
                "impressions": done.impressions,
                "clicks": done.clicks,
                "dwell_ms": done.dwell_ms,
            }
            try:
                await self._gateway.click(event)
                self._report.clicks += 1
            except (ReplyError, httpx.HTTPError) as fault:
                self._failed(fault)

    def _failed(self, fault: ReplyError | httpx.HTTPError) -> None:
        code = fault.code if isinstance(fault, ReplyError) else type(fault).__name__
        with self._report.lock:
            self._report.failed[code] += 1
