# SPDX-License-Identifier: Apache-2.0
"""A small soak: servers die, transactions break off; and the judge does find what is wrong."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import update

from bls.ads.database import open_database, write
from bls.ads.schema import flights, settlements
from bls.ads.soak.judge import judge
from bls.ads.soak.plan import Plan
from bls.ads.soak.run import soak


def test_never_overspent_and_nothing_lost(database_url: str, tmp_path: Path) -> None:
    plan = Plan(database_url, tmp_path, processes=2, threads=4, faults=0.01, seed=3)
    result = soak(plan, operations=400, kills=2)
    assert result.faults == [] and 1 <= result.kills <= 2 and result.operations >= 400
    assert 0 < result.spent <= result.budget
    _falsify(database_url)
    faults = " ".join(judge(open_database(database_url), plan))
    assert "settled" in faults and "told" in faults


def _falsify(url: str) -> None:
    engine = open_database(url)
    write(
        engine, lambda c: c.execute(update(settlements).values(charged=settlements.c.charged + 1))
    )
    write(engine, lambda c: c.execute(update(flights).values(spent=0)))
    engine.dispose()
