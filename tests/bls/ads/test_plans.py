# SPDX-License-Identifier: Apache-2.0
"""Orders about money: what one order means after another."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from bls.ads import plans
from bls.ads.database import write
from bls.ads.flight import DAY, MICROS_MAX
from bls.ads.ledger import Ledger
from bls.errors import SkynetError

MONDAY = 20_000 * DAY
NOON = MONDAY + DAY / 2


def test_so_much_a_day_whatever_it_was_spent_of(engine: Engine) -> None:
    """What today's flight of its own spent and holds is no longer left; yesterday's is."""
    now = MONDAY - 60.0
    ledger = Ledger(engine, "server", "run", wall=lambda: now)
    write(engine, lambda c: plans.set_left(c, "alpine", 1_000, MONDAY + 2 * DAY, now))
    ledger.reserve("alpine", "yesterday", 100)
    ledger.commit("alpine", "yesterday", 100)
    now = NOON
    ledger.reserve("alpine", "today", 200)
    ledger.commit("alpine", "today", 200)
    ledger.reserve("alpine", "held", 50)
    for _ in range(2):  # an order given twice is the same order
        daily = write(engine, lambda c: plans.set_daily(c, "alpine", 300, now))
        assert (daily.start, daily.free) == (MONDAY, 50)
    assert ledger.reserve("alpine", "more", 300).micros == 50
    less = write(engine, lambda c: plans.set_daily(c, "alpine", 100, now))
    assert less.free == 0
    now = NOON + DAY
    assert ledger.reserve("alpine", "tomorrow", 300).micros == 100


def test_more_than_can_be_counted(engine: Engine) -> None:
    ledger = Ledger(engine, "server", "run", wall=lambda: NOON)
    end = MONDAY + DAY
    write(engine, lambda c: plans.set_left(c, "alpine", 100, end, NOON))
    ledger.reserve("alpine", "r", 1)
    with pytest.raises(SkynetError) as caught:
        write(engine, lambda c: plans.set_left(c, "alpine", MICROS_MAX, end, NOON))
    assert (caught.value.code, caught.value.param) == ("invalid_value", "budget_left_micros")
    assert write(engine, lambda c: plans.set_left(c, "alpine", MICROS_MAX - 1, end, NOON)).free
