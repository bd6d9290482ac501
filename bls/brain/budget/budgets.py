# SPDX-License-Identifier: Apache-2.0
"""Every advertiser's budget as the replies of this server see it, from any thread.

A reply reserves before its first token, says what it delivered, and settles once when it ends. Its
key makes each of these safe to repeat. The money is in the database (`bls.ads.ledger`), which
alone decides; here is what a token needs at once: what its reply holds, and how fast money goes.
What a reply held when the process died stays held until `bls.brain.budget.reconcile` finds its
receipt.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bls.ads.flight import MICROS_MAX, Account
from bls.ads.ledger import Done, Held, Ledger
from bls.brain.budget.asking import Asking, stalled
from bls.brain.budget.rate import PACE_MIN, WINDOW_S, SpendRate
from bls.brain.budget.state import NOTHING, BudgetState
from bls.errors import SkynetError, invalid

T = TypeVar("T")

Clock = Callable[[], float]

FRESH_S = 1.0
"""How old an account may be that pacing goes by; what may be spent is never taken from it."""

_LATE = 65_536
"""Settlements kept while the database is away. One more pushes out the oldest: its money stays
held until the next start."""


@dataclass
class Reply:
    """What one reply may spend, and what it has delivered so far. Micro-units."""

    held: int = 0
    delivered: int = 0

    @property
    def left(self) -> int:
        return max(0, self.held - self.delivered)


class Budgets:
    """See the package's page.

    Args:
        ledger: the money, with this server's name on what it holds.
        micros_per_weight: price of weight 1.0, micro-units per token (`bls.campaigns`).
        window_s: of the recent spend rate.
        prepare: done once before the first question, and again while it raises.
        failed: told of a database that cannot be believed, read or written.
        clock: seconds that never go back, for the rate; wall: Unix seconds, for flights.
    """

    def __init__(
        self,
        ledger: Ledger,
        micros_per_weight: int,
        *,
        window_s: float = WINDOW_S,
        prepare: Callable[[], None] = lambda: None,
        failed: Callable[[Exception], None] = lambda fault: None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        self._ledger, self._unit = ledger, micros_per_weight
        self._clock, self._wall = clock, wall
        self._ask = Asking(prepare, failed, clock)
        self._replies: dict[Held, Reply] = {}
        self._accounts: dict[str, tuple[Account | None, float]] = {}
        self._rates = defaultdict[str, SpendRate](lambda: SpendRate(window_s))
        self._late: OrderedDict[Held, int] = OrderedDict()
        self._lock = threading.RLock()
        self._closed = False

    @property
    def faulty(self) -> bool:
        """Nothing is known: nobody has a budget."""
        try:
            self._question(self._ledger.orphans)
        except SkynetError:
            return True
        return False

    def funded(self, advertisers: Sequence[str]) -> frozenset[str]:
        """Which of these have a budget. All of them when nobody knows: then they have no money."""
        try:
            return self._question(lambda: self._ledger.funded(advertisers))
        except SkynetError:
            return frozenset(advertisers)

    def state(self, advertiser: str, now: float | None = None, key: str = "") -> BudgetState:
        """What is left at `now` (Unix seconds); what the reply `key` holds counts as left.

        It is at most `FRESH_S` old where other servers spend too.
        """
        now = self._wall() if now is None else now
        try:
            account = self._account(advertiser, now)
        except SkynetError:
            return NOTHING
        if account is None:
            return NOTHING
        with self._lock:
            own = self._replies.get((advertiser, key))
            left = account.free + (own.left if own else 0)
            rate = self._rates[advertiser].at(self._clock())
        return BudgetState(left / self._unit, account.end - now, rate / self._unit)

    def reserve(self, advertiser: str, key: str, micros: int) -> int:
        """Let the reply `key` spend up to `micros` in all; how much it now holds, perhaps less.

        Asking again for as much changes nothing, for more adds to it. 0 without a budget. Where
        nothing was left it may take `FRESH_S` until more is seen. Raises `budget_settled` for a
        reply that has ended, `budget_stalled` when it cannot be recorded.
        """
        _check(micros)
        with self._lock:
            if (advertiser, key) in self._late:
                raise invalid("budget_settled", "This reply has been settled.")
            if self._dry(advertiser):
                return self._replies.get((advertiser, key), Reply()).held
        done = self._question(lambda: self._ledger.reserve(advertiser, key, micros))
        self._saw(advertiser, done.account)
        if done.micros > 0:
            with self._lock:
                self._replies.setdefault((advertiser, key), Reply()).held = done.micros
        return done.micros

    def deliver(self, advertiser: str, key: str, micros: int, pace: float = 1.0) -> int:
        """The reply has delivered `micros` in all so far; what of its hold is left.

        0 for a reply that holds nothing. `pace` is what the newest of it was bid at: the rate
        counts what would have been spent at pace 1, so that pacing by it does not chase itself.
        """
        _check(micros)
        with self._lock:
            reply = self._replies.get((advertiser, key))
            if reply is None:
                return 0
            self._count(advertiser, (micros - reply.delivered) / max(pace, PACE_MIN))
            reply.delivered = max(reply.delivered, micros)
            return reply.left

    def commit(self, advertiser: str, key: str, micros: int) -> int:
        """The reply has ended and costs `micros`; what of it the budget bears, the rest is free.

        Ends the hold. Again: the same answer, nothing changes. 0 for a reply that held nothing.
        While the database is away the answer is what the hold bears, and it is stored later.
        """
        _check(micros)
        with self._lock:
            reply = self._replies.pop((advertiser, key), None) or Reply()
        try:
            done = self._question(lambda: self._ledger.commit(advertiser, key, micros))
            self._saw(advertiser, done.account)
        except SkynetError:
            done = Done(min(micros, reply.held), None)
            self._keep((advertiser, key), micros)
        with self._lock:
            self._count(advertiser, done.micros - reply.delivered if reply.held else 0)
        return done.micros

    def release(self, advertiser: str, key: str) -> None:
        """The reply has ended and costs nothing. After `commit` it changes nothing."""
        self.commit(advertiser, key, 0)

    def spent(self, advertiser: str) -> int:
        """Micro-units spent in the advertiser's flight. Raises `budget_stalled`."""
        account = self._question(lambda: self._ledger.last(advertiser))
        return account.spent if account else 0

    @property
    def orphans(self) -> tuple[Held, ...]:
        """What an earlier run of this server held when it died, and nobody has settled."""
        return self._question(self._ledger.orphans)

    def close(self) -> None:
        """Store what is left; then nobody has a budget."""
        with contextlib.suppress(SkynetError):  # what is not stored stays held until the next start
            self._question(lambda: None)
        self._closed = True

    def _question(self, question: Callable[[], T]) -> T:
        """The database's answer, and before it what is to be stored yet."""
        if self._closed:
            raise stalled()

        def ask() -> T:
            self._store_late()
            return question()

        return self._ask(ask)

    def _dry(self, advertiser: str) -> bool:
        """It was just found that nothing is left: not asked again for every token."""
        account, at = self._accounts.get(advertiser, (None, 0.0))
        return account is not None and account.free == 0 and self._clock() - at < FRESH_S

    def _account(self, advertiser: str, now: float) -> Account | None:
        with self._lock:
            known, at = self._accounts.get(advertiser, (None, float("-inf")))
        fresh = self._clock() - at < FRESH_S
        if fresh and (known is None or known.live(now)):
            return known
        return self._saw(advertiser, self._question(lambda: self._ledger.account(advertiser, now)))

    def _saw(self, advertiser: str, account: Account | None) -> Account | None:
        with self._lock:
            self._accounts[advertiser] = (account, self._clock())
        return account

    def _keep(self, held: Held, micros: int) -> None:
        with self._lock:
            self._late[held] = micros
            if len(self._late) > _LATE:
                self._late.popitem(last=False)

    def _store_late(self) -> None:
        while self._late:
            with self._lock:
                if not self._late:
                    return
                held, micros = next(iter(self._late.items()))
            self._ledger.commit(*held, micros)
            with self._lock:
                self._late.pop(held, None)

    def _count(self, advertiser: str, micros: float) -> None:
        if micros > 0:
            self._rates[advertiser].add(micros, self._clock())


def _check(micros: int) -> None:
    if not 0 <= micros <= MICROS_MAX:
        raise invalid("bad_amount", "An amount is a whole number of micro-units, 0 or more.")
