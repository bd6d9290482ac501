# SPDX-License-Identifier: Apache-2.0
"""Every advertiser's budget, from any thread.

A reply reserves before its first token, says what it delivered, and settles once when it ends. Its
key makes each of these safe to repeat. What a reply held when the process died stays held until
`bls.brain.budget.reconcile` finds its receipt.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from bls.brain.budget.account import Account
from bls.brain.budget.book import DamagedError, Line
from bls.brain.budget.flight import NOTHING, BudgetState, Flight, Flights, fixed
from bls.brain.budget.rate import PACE_MIN, WINDOW_S, SpendRate
from bls.brain.budget.recorder import Recorder
from bls.errors import SkynetError, invalid

Clock = Callable[[], float]
Held = tuple[str, str]
"""An advertiser, and the key of a reply."""

_SETTLED = 65_536
"""Settled replies remembered, so that settling again changes nothing."""


class Budgets:
    """See the package's page.

    Args:
        file: where spending is remembered.
        flights: one each, or who knows them (`daily`); without one there is no budget.
        micros_per_weight: price of weight 1.0, micro-units per token (`bls.campaigns`).
        window_s: of the recent spend rate.
        failed: told of a file that cannot be believed, read or written.
        clock: seconds that never go back, for the rate; wall: Unix seconds, for flights.

    Raises:
        SkynetError: `budgets_locked` when another server has the file.
    """

    def __init__(
        self,
        file: Path,
        flights: Mapping[str, Flight] | Flights,
        micros_per_weight: int,
        *,
        window_s: float = WINDOW_S,
        failed: Callable[[Exception], None] = lambda fault: None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        self._flights = fixed(flights) if isinstance(flights, Mapping) else flights
        self._unit = micros_per_weight
        self._clock, self._wall = clock, wall
        self._accounts: defaultdict[tuple[str, int], Account] = defaultdict(Account)
        self._rates = defaultdict[str, SpendRate](lambda: SpendRate(window_s))
        self._settled: OrderedDict[Held, int] = OrderedDict()
        self._lock = threading.RLock()
        self._recorder = Recorder(file, failed)
        try:
            for line in self._recorder.lines:
                self._replay(line)
        except DamagedError as fault:
            self._recorder.distrust(fault)
        self._recorder.lines.clear()
        self._orphans = frozenset(self._held())

    @property
    def faulty(self) -> bool:
        """The file cannot be believed: nobody has a budget."""
        return self._recorder.faulty

    def state(self, advertiser: str, now: float | None = None, key: str = "") -> BudgetState:
        """What is left at `now` (Unix seconds); what the reply `key` holds counts as left."""
        with self._lock:
            now = self._wall() if now is None else now
            flight = self._live(advertiser, now)
            if flight is None:
                return NOTHING
            account = self._accounts[advertiser, flight.start]
            own = account.holds.get(key)
            left = account.free(flight.budget_micros) + (own.left if own else 0)
            rate = self._rates[advertiser].at(self._clock())
            return BudgetState(left / self._unit, flight.end - now, rate / self._unit)

    def reserve(self, advertiser: str, key: str, micros: int) -> int:
        """Let the reply `key` spend up to `micros` in all; how much it now holds, perhaps less.

        Asking again for as much changes nothing, for more adds to it. 0 without a budget. Raises
        `budget_settled` for a reply that has ended, `budget_stalled` when it cannot be recorded.
        """
        _check(micros)
        with self._lock:
            if (advertiser, key) in self._settled:
                raise invalid("budget_settled", "This reply has been settled.")
            flight = self._live(advertiser, self._wall())
            if flight is None:
                return 0
            account = self._accounts[advertiser, flight.start]
            held = account.holds[key].micros if key in account.holds else 0
            granted = min(max(micros, held), held + account.free(flight.budget_micros))
            if granted > held:
                self._recorder.now(self._line("hold", advertiser, flight.start, key, granted))
                account.hold(key, granted)
            return granted

    def deliver(self, advertiser: str, key: str, micros: int, pace: float = 1.0) -> int:
        """The reply has delivered `micros` in all so far; what of its hold is left.

        0 for a reply that holds nothing. `pace` is what the newest of it was bid at: the rate
        counts what would have been spent at pace 1, so that pacing by it does not chase itself.
        """
        _check(micros)
        with self._lock:
            found = self._find(advertiser, key)
            if found is None:
                return 0
            hold = found[1].holds[key]
            self._count(advertiser, (micros - hold.delivered) / max(pace, PACE_MIN))
            hold.delivered = max(hold.delivered, micros)
            return hold.left

    def commit(self, advertiser: str, key: str, micros: int) -> int:
        """The reply has ended and costs `micros`; what of it the budget bears, the rest is free.

        Ends the hold. Again: the same answer, nothing changes. 0 for a reply that held nothing.
        """
        _check(micros)
        with self._lock:
            if (settled := self._settled.get((advertiser, key))) is not None:
                return settled
            found = self._find(advertiser, key)
            if found is None:
                return 0
            start, account = found
            hold = account.holds[key]
            live = self._live(advertiser, self._wall())
            if micros > hold.micros and live is not None and live.start == start:
                with contextlib.suppress(SkynetError):
                    self.reserve(advertiser, key, micros)
            charged = min(micros, hold.micros)
            self._count(advertiser, charged - hold.delivered)
            account.settle(key, charged)
            self._remember(advertiser, key, charged)
            self._recorder.later(self._line("settle", advertiser, start, key, charged))
            return charged

    def release(self, advertiser: str, key: str) -> None:
        """The reply has ended and costs nothing. After `commit` it changes nothing."""
        self.commit(advertiser, key, 0)

    def spent(self, advertiser: str) -> int:
        """Micro-units spent in the advertiser's flight."""
        with self._lock:
            flight = self._flights(advertiser, self._wall())
            return self._accounts[advertiser, flight.start].spent if flight else 0

    @property
    def orphans(self) -> tuple[Held, ...]:
        """What an earlier process held when it died, and nobody has settled."""
        with self._lock:
            return tuple(held for held in self._held() if held in self._orphans)

    def close(self) -> None:
        """Write what is left and let go of the file; then nobody has a budget."""
        with self._lock:
            self._recorder.close()

    def _live(self, advertiser: str, now: float) -> Flight | None:
        flight = self._flights(advertiser, now)
        return flight if flight and flight.live(now) and not self.faulty else None

    def _find(self, advertiser: str, key: str) -> tuple[int, Account] | None:
        """(start of the flight, account) in which `key` holds something."""
        for (name, start), account in self._accounts.items():
            if name == advertiser and key in account.holds:
                return start, account
        return None

    def _held(self) -> tuple[Held, ...]:
        return tuple((name, key) for (name, _), a in self._accounts.items() for key in a.holds)

    def _count(self, advertiser: str, micros: float) -> None:
        if micros > 0:
            self._rates[advertiser].add(micros, self._clock())

    def _remember(self, advertiser: str, key: str, charged: int) -> None:
        self._settled[advertiser, key] = charged
        if len(self._settled) > _SETTLED:
            self._settled.popitem(last=False)

    def _line(
        self, op: Literal["hold", "settle"], advertiser: str, start: int, key: str, micros: int
    ) -> Line:
        ts = round(self._wall(), 6)
        return Line(op=op, advertiser=advertiser, flight=start, key=key, micros=micros, ts=ts)

    def _replay(self, line: Line) -> None:
        """Apply a line of the file. Raises `DamagedError` for one that could not have been."""
        account = self._accounts[line.advertiser, line.flight]
        held = account.holds.get(line.key)
        if line.op == "hold":
            if held is not None and line.micros < held.micros:
                raise DamagedError("a hold that shrinks")
            account.hold(line.key, line.micros)
        elif held is None or line.micros > held.micros:
            raise DamagedError("a settlement without its hold")
        else:
            account.settle(line.key, line.micros)
            self._remember(line.advertiser, line.key, line.micros)


def _check(micros: int) -> None:
    if micros < 0:
        raise invalid("bad_amount", "An amount is 0 or more.")
