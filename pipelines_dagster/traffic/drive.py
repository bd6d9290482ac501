# SPDX-License-Identifier: Apache-2.0
"""Runs a traffic plan against a gateway: so many visits at a time, until the plan ends or `stop`.

report = drive(url, TrafficPlan(seconds=60))
with Background(url, plan) as traffic:      # the same in a thread, while something else goes on
    ...
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from types import TracebackType

from bls.brain.context.encoder import ContextEncoder
from bls.campaigns import load_campaigns
from client.launcher.running import Running
from pipelines_dagster.traffic.asks import asks, chats
from pipelines_dagster.traffic.gateway import LiveGateway
from pipelines_dagster.traffic.plan import TrafficPlan
from pipelines_dagster.traffic.readers import Readers
from pipelines_dagster.traffic.report import TrafficReport
from pipelines_dagster.traffic.visit import React, Visit

_PAUSE_S = 0.2
"""After a visit that failed at once: a server that is away is not hammered."""


def drive(
    url: str,
    plan: TrafficPlan,
    report: TrafficReport | None = None,
    stop: threading.Event | None = None,
) -> TrafficReport:
    """Traffic until the plan is over; visits under way are finished. Raises `bad_campaigns`."""
    report = TrafficReport() if report is None else report
    campaigns = load_campaigns(str(plan.campaigns))
    react: React | None = None
    if plan.clicks:
        creatives = [c.creative for c in campaigns.campaigns if c.creative]
        react = Readers(ContextEncoder(), chats(), creatives).react
    waiting = itertools.islice(asks(plan, campaigns), plan.replies)
    began = time.monotonic()

    async def worker(gateway: LiveGateway) -> None:
        while time.monotonic() - began < plan.seconds and not (stop and stop.is_set()):
            ask = next(waiting, None)
            if ask is None:
                return
            before = report.failures
            await Visit(ask, gateway, react, report).run()
            report.seconds = time.monotonic() - began
            if report.failures > before:
                await asyncio.sleep(_PAUSE_S)

    async def run() -> None:
        async with LiveGateway(url, 3 * plan.concurrency) as gateway:
            await asyncio.gather(*(worker(gateway) for _ in range(plan.concurrency)))

    asyncio.run(run())
    return report


class Background(Running):
    """Traffic in a thread of its own from `__enter__` to `__exit__`; `report` is live."""

    def __init__(self, url: str, plan: TrafficPlan) -> None:
        self.report = TrafficReport()
        self._stop = threading.Event()
        self._fault: list[BaseException] = []
        self._thread = threading.Thread(
            target=self._run, args=(url, plan), name="traffic", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let the visits under way finish."""
        self._stop.set()
        self._thread.join(timeout=90)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Raises what ended the traffic early."""
        super().__exit__(kind, error, trace)
        if self._fault and error is None:
            raise self._fault[0]

    def _run(self, url: str, plan: TrafficPlan) -> None:
        try:
            drive(url, plan, self.report, self._stop)
        except BaseException as fault:  # told to whoever started the traffic
            self._fault.append(fault)
