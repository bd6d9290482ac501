# SPDX-License-Identifier: Apache-2.0
"""What the routes share: made when the app starts, closed when it stops."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import Request

from bls.explain.service import ExplainService
from bls.settlement.clicks import ClickBook
from client.gateway.ads.desk import AdDesk
from client.gateway.chats import Chats
from client.gateway.metrics import Metrics
from client.gateway.phantom.conditions import Conditions
from client.gateway.phantom.desk import SessionDesk
from client.gateway.phantom.pricing import PriceDesk, PriceSeries
from client.gateway.settings import GatewaySettings
from client.gateway.slots import Slots
from client.gateway.upstream import Triton
from client.tracing import Tracing


@dataclass(frozen=True)
class Gateway:
    """`drain` is set once, when the process was told to stop: open replies end then."""

    settings: GatewaySettings
    triton: Triton
    slots: Slots
    metrics: Metrics
    tracing: Tracing
    explainer: ExplainService
    clicks: ClickBook
    ads: AdDesk
    sessions: SessionDesk
    prices: PriceDesk
    chats: Chats
    drain: asyncio.Event

    @classmethod
    def start(cls, settings: GatewaySettings) -> Gateway:
        """Needs a running event loop (the gRPC channel binds to it)."""
        slots = Slots(settings.streams)
        metrics = Metrics(lambda: slots.live)
        tracing = Tracing(settings.traces)
        explainer = ExplainService(settings.explain)
        triton = Triton(settings.triton)
        clicks = ClickBook(settings.logs)
        ads = AdDesk(settings.database, settings.database_password, triton)
        conditions = Conditions(settings.keys, settings.etcd_password, settings.logs)
        sessions = SessionDesk(settings.logs, settings.salt, conditions, triton)
        metrics.watch_sessions(lambda: len(sessions.book))
        prices = PriceDesk(sessions, triton)
        metrics.register(PriceSeries(prices.provider.stats))
        drain = asyncio.Event()
        return cls(
            settings=settings,
            triton=triton,
            slots=slots,
            metrics=metrics,
            tracing=tracing,
            explainer=explainer,
            clicks=clicks,
            ads=ads,
            sessions=sessions,
            prices=prices,
            chats=Chats(sessions.book),
            drain=drain,
        )

    async def close(self) -> None:
        """Release the channel, the database, the explain worker and what is recorded."""
        self.clicks.close()
        await self.sessions.close()
        await self.ads.close()
        await self.explainer.close()
        await self.triton.close()


def gateway_of(request: Request) -> Gateway:
    """The gateway serving this request."""
    gateway = request.app.state.gateway
    assert isinstance(gateway, Gateway)
    return gateway
