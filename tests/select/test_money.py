# SPDX-License-Identifier: Apache-2.0
"""The selector over the real database of budgets: how often it asks, and what it lets through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, event

from bls.ads import plans
from bls.ads.database import open_database, write
from bls.ads.ledger import Ledger
from bls.ads.migrate import migrate
from bls.ads.store import AdStore
from tests.brain.clock import Clock
from tests.select.world import NOW, Exact, World, around, campaign, unit

CTX = unit(np.random.default_rng(2), 1)[0]
BUDGET, PRICE = 1_050, 100


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(f"sqlite:///{tmp_path}/skynet.db")
    migrate(made)
    yield made
    made.dispose()


def world_of(engine: Engine, clock: Clock) -> World:
    """adv99 is the nearest; adv1 always remains."""
    store = AdStore(engine, clock=clock)
    for name in ("adv99", "adv1"):
        store.put_campaign(campaign(name, name))
    return World(store, Exact(around(CTX, [0.9, 0.5]), ["adv99", "adv1"]))


@pytest.mark.spec("MRO-I-02")
def test_a_campaign_that_has_spent_everything_is_selected_no_more(engine: Engine) -> None:
    """Each reply reserves and pays; money is read once a minute, so a few more replies select it,
    and reserve nothing. From then on, 1,000 without it."""
    write(
        engine,
        lambda connection: plans.set_left(connection, "adv99", BUDGET, int(NOW) + 9_999, NOW),
    )
    clock, ledger = Clock(), Ledger(engine, "server", "run", wall=lambda: NOW)
    world = world_of(engine, clock)
    paid = 0
    for number in range(30):
        assert world.names(CTX, ctx_id=f"n{number}")[0] == "m0"
        held = ledger.reserve("adv99", f"n{number}", PRICE).micros
        paid += ledger.commit("adv99", f"n{number}", held).micros
    assert paid == BUDGET
    clock.pass_by(61)
    world.boards.refresh()
    assert world.log.of("budget.gate.trace") == [{"advertiser": "adv99", "empty": True}]
    for number in range(1_000):
        assert world.names(CTX, ctx_id=f"after-{number}") == ["m1"]
    account = ledger.account("adv99", NOW)
    assert account is not None and (account.spent, account.reserved) == (BUDGET, 0)


@pytest.mark.spec("MRO-C-04")
def test_money_is_read_once_in_sixty_seconds(engine: Engine) -> None:
    """1,000 selects within ten seconds, counted where the driver gets the statements."""
    clock, asked = Clock(), []
    world = world_of(engine, clock)
    clock.pass_by(61)
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    for number in range(1_000):
        world.ask(CTX, f"n{number}")
        clock.pass_by(0.01)
    assert sum("budgets" in text for text in asked) == 1
    clock.pass_by(51)
    world.ask(CTX, "later")
    assert sum("budgets" in text for text in asked) == 2
