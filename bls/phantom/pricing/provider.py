# SPDX-License-Identifier: Apache-2.0
"""What a session is asked for the items of a page.

A policy (`session_price` in the model server) is asked once a page, under a deadline, and its
multipliers go through `bounds.quote`. Anything else is the base price: a policy that is slow, dead
or refuses, a multiplier that is none, a score that lags behind what the session did. A price once
given is given again for `LIMITS.price_hold_s`, whatever happens to the model meanwhile.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from bls.errors import SkynetError
from bls.limits import LIMITS, Limits
from bls.phantom.pricing.bounds import base_price, quote, usable
from bls.phantom.pricing.held import Given, HeldPrices
from bls.phantom.pricing.rest import Rest
from bls.phantom.pricing.state import F32, Market, Sight, states
from bls.phantom.session import Mode
from bls.phantom.shop import Catalogue, Item, catalogue
from bls.totals import Totals

POLICY, STATIC, BASE = "session_price", "static", "base"
FORCED = frozenset({STATIC})
"""Conditions of an experiment that set the policy: its control arm."""

STALE, SLOW, DEAD, REFUSED = "stale", "slow", "dead", "refused"
RESTING, NO_MULTIPLIER = "resting", "no_multiplier"
_REASONS = {"deadline_exceeded": SLOW, "unavailable": DEAD}

_FAILURES = 5
_PAUSE_S = 1.0


class Said(NamedTuple):
    """Of a policy: a multiplier an item, and the version that answered, 16 hex digits."""

    multipliers: Sequence[float]
    version: str


class Policy(Protocol):
    """Asked once a page."""

    async def __call__(self, states: F32, session_id: str) -> Said:
        """Raises `SkynetError`."""


class Sessions(Protocol):
    """What is known of those who ask."""

    def sight(self, session_id: str, mode: Mode) -> Sight:
        """Of a session; of one never seen, `NOBODY`."""

    def demand(self, mode: Mode) -> Mapping[str, float]:
        """The demand proxy over the live sessions, item -> share of 100."""


@dataclass(frozen=True)
class _Page:
    """What one request asks about. `session`: of prices that are held, mode and id."""

    session: str
    session_id: str
    shop: Catalogue
    sight: Sight

    @property
    def forced(self) -> str:
        """The policy that its experiment sets; empty when it leaves the choice."""
        return self.sight.condition if self.sight.condition in FORCED else ""


@dataclass
class ProviderStats:
    """Attributes:
    quotes: prices given, by policy.
    held: of those, the ones that were given before.
    fallbacks: prices that became the base price, by reason.
    """

    quotes: Totals = field(default_factory=Totals)
    held: int = 0
    fallbacks: Totals = field(default_factory=Totals)


class Provider:
    """One per gateway, in its event loop.

    Args:
        catalogues: by mode.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        policy: Policy,
        sessions: Sessions,
        *,
        catalogues: Callable[[Mode], Catalogue] = catalogue,
        limits: Limits = LIMITS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stats = ProviderStats()
        self._policy, self._sessions = policy, sessions
        self._catalogues, self._limits, self._clock = catalogues, limits, clock
        self._held = HeldPrices(limits.prices_held)
        self._rest = Rest(_FAILURES, _PAUSE_S, clock)

    async def quotes(self, session_id: str, mode: Mode, names: Sequence[str]) -> list[Given]:
        """A price an item, in order. Raises `unknown_item`, `unknown_mode`, `bad_catalogue`."""
        shop = self._catalogues(mode)
        items = [shop.item(name) for name in names]
        sight = self._sessions.sight(session_id, mode)
        page = _Page(f"{mode} {session_id}", session_id, shop, sight)
        known = {item.item: self._holding(page, item) for item in items}
        fresh = {item.item: item for item in items if known[item.item] is None}
        if fresh:
            for made in await self._priced(page, list(fresh.values())):
                known[made.item.item] = self._keep(page, made)
        self.stats.held += len(known) - len(fresh)
        given = [one for item in items if (one := known[item.item]) is not None]
        for policy, count in Counter(one.policy for one in given).items():
            self.stats.quotes.add(count, policy=policy)
        return given

    def _holding(self, page: _Page, item: Item) -> Given | None:
        """The price that is still held; an experiment's policy takes no other's."""
        given = self._held.last(page.session, item)
        if given is None or given.until <= self._clock():
            return None
        return given if page.forced in ("", given.policy) else None

    def _keep(self, page: _Page, made: Given) -> Given:
        """`made`, unless another request of the session was given a price in the meantime."""
        other = self._holding(page, made.item)
        if other is not None:
            return other
        last = self._held.last(page.session, made.item)
        if last is not None:
            made = dataclasses.replace(made, times=last.times + 1)
        self._held.put(page.session, made)
        return made

    async def _priced(self, page: _Page, items: Sequence[Item]) -> list[Given]:
        if page.forced:
            return [self._given(item, None, page.forced) for item in items]
        if page.sight.behind_s > self._limits.score_behind_s:
            return self._fallback(items, STALE)
        if not self._rest.over():
            return self._fallback(items, RESTING)
        return await self._asked(page, items)

    async def _asked(self, page: _Page, items: Sequence[Item]) -> list[Given]:
        try:
            async with asyncio.timeout(self._limits.price_timeout_s):
                said = await self._policy(self._states(page, items), page.session_id)
        except TimeoutError:
            return self._failed(items, SLOW)
        except SkynetError as fault:
            return self._failed(items, _REASONS.get(fault.code, REFUSED))
        self._rest.told(worked=True)
        pairs = zip(items, said.multipliers, strict=True)
        return [self._bounded(item, multiplier, said.version) for item, multiplier in pairs]

    def _states(self, page: _Page, items: Sequence[Item]) -> F32:
        found = [self._held.last(page.session, item) for item in items]
        before = {given.item.item: given for given in found if given is not None}
        last = {name: given.price_micros for name, given in before.items()}
        shown = {name: given.times for name, given in before.items()}
        demand = self._sessions.demand(page.shop.mode)
        return states(items, page.sight, Market(demand, len(page.shop.items)), last, shown)

    def _bounded(self, item: Item, multiplier: float, version: str) -> Given:
        if not usable(multiplier):
            return self._fallback([item], NO_MULTIPLIER)[0]
        return self._given(item, multiplier, POLICY, version)

    def _failed(self, items: Sequence[Item], why: str) -> list[Given]:
        self._rest.told(worked=False)
        return self._fallback(items, why)

    def _fallback(self, items: Sequence[Item], why: str) -> list[Given]:
        self.stats.fallbacks.add(len(items), reason=why)
        return [self._given(item, None, BASE) for item in items]

    def _given(self, item: Item, by: float | None, policy: str, version: str = "") -> Given:
        price = base_price(item) if by is None else quote(item, by)
        return Given(item, price, policy, version, self._clock() + self._limits.price_hold_s)
