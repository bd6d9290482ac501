# SPDX-License-Identifier: Apache-2.0
"""The gateway's price desk: a provider, the sessions it asks for, and the record of every quote."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from itertools import groupby

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from bls.phantom.book import ToldQuote
from bls.phantom.pricing.held import Given
from bls.phantom.pricing.live import LiveSessions
from bls.phantom.pricing.provider import Provider, ProviderStats
from bls.phantom.session import Mode, Quote
from bls.totals import Totals
from client.gateway.phantom.desk import SessionDesk
from client.gateway.phantom.policy import TritonPolicy
from client.gateway.upstream import Triton


class PriceDesk:
    """Made inside the event loop; it keeps no files of its own."""

    def __init__(self, sessions: SessionDesk, triton: Triton) -> None:
        self._sessions = sessions
        live = LiveSessions(sessions.book, self._condition)
        self.provider = Provider(TritonPolicy(triton), live)

    async def quotes(self, session_id: str, mode: Mode, names: Sequence[str]) -> list[Given]:
        """A price an item, in order; when it returns, they are on disk as prices shown. Lines of
        a refusal may be written later.

        Raises:
            SkynetError: `unknown_item`, `mode_fixed`, `session_full`, `sessions_stalled`.
        """
        await self._sessions.ready()
        given = await self.provider.quotes(session_id, mode, names)
        now = int(time.time() * 1000)
        for (policy, version), some in groupby(sorted(given, key=_decided_by), key=_decided_by):
            told = [
                ToldQuote(f"q-{uuid.uuid4().hex}", Quote(one.item.item, one.price_micros, now))
                for one in some
            ]
            await self._sessions.show(session_id, mode, told, policy, version)
        return given

    def _condition(self, session_id: str, mode: Mode) -> str:
        return self._sessions.condition(session_id, mode)[1]


def _decided_by(given: Given) -> tuple[str, str]:
    return given.policy, given.version


class PriceSeries(Collector):
    """The provider's totals as `phantom_quotes_*` series, read when they are asked for."""

    def __init__(self, stats: ProviderStats) -> None:
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        held = CounterMetricFamily("phantom_quotes_held", "Prices given once more.")
        held.add_metric([], self._stats.held)
        quotes = _family("phantom_quotes", "Prices given, by policy.", "policy", self._stats.quotes)
        text = "Prices that became the base price, by reason."
        falls = _family("phantom_quotes_fallbacks", text, "reason", self._stats.fallbacks)
        return [quotes, falls, held]


def _family(name: str, text: str, label: str, totals: Totals) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for labels, value in list(totals.items()):
        family.add_metric([dict(labels)[label]], value)
    return family
