# SPDX-License-Identifier: Apache-2.0
"""A server's budgets as they open: database, campaign file, the former file, the last run."""

from __future__ import annotations

from pathlib import Path

import pytest

from bls.brain.budget.opened import OpenBudgets
from bls.brain.budget.state import NOTHING
from bls.campaigns import load_campaigns
from bls.errors import SkynetError
from bls.settings import Settings
from tests.bls.ads.postgres import Postgres, needs_postgres

RAIL = "alpine_rail"


def opened(state: Path, faults: list[Exception], database: str = "") -> OpenBudgets:
    settings = Settings(state=state, database=database)
    return OpenBudgets(settings, load_campaigns(), faults.append)


def test_spending_is_remembered(tmp_path: Path) -> None:
    faults: list[Exception] = []
    first = opened(tmp_path, faults)
    assert first.budgets.funded([RAIL, "stranger"]) == {RAIL}
    assert first.budgets.reserve(RAIL, "r", 5_000) == 5_000
    first.budgets.commit(RAIL, "r", 4_000)
    first.budgets.reserve(RAIL, "lost", 700)
    first.close()
    again = opened(tmp_path, faults)
    assert again.budgets.spent(RAIL) == 4_000
    assert again.budgets.orphans == ((RAIL, "lost"),)  # no receipts yet: it stays held
    again.close()
    assert faults == []


def test_a_damaged_former_file_means_no_money(tmp_path: Path) -> None:
    (tmp_path / "budgets.jsonl").write_bytes(b"nonsense\n")
    faults: list[Exception] = []
    server = opened(tmp_path, faults)
    assert server.budgets.faulty and len(faults) == 1
    assert server.budgets.state(RAIL) == NOTHING
    assert server.budgets.funded([RAIL, "stranger"]) == {RAIL, "stranger"}
    server.close()


def test_settings_that_cannot_work(tmp_path: Path) -> None:
    with pytest.raises(SkynetError) as caught:
        opened(tmp_path, [], "mysql://host/name")
    assert caught.value.code == "bad_setting"


@needs_postgres
def test_a_database_that_comes_later(postgres: Postgres, tmp_path: Path) -> None:
    """Two servers on one database; it is away when the second one starts."""
    faults: list[Exception] = []
    url = postgres.database()
    first = opened(tmp_path / "a", faults, url)
    total = 20_000_000
    assert first.budgets.reserve(RAIL, "r", total) == total
    postgres.kill()
    second = opened(tmp_path / "b", faults, url)
    try:
        with pytest.raises(SkynetError, match="recorded"):
            second.budgets.reserve(RAIL, "s", 1)
    finally:
        postgres.start()
    second.budgets._ask._until = 0.0  # as if the pause were over
    assert second.budgets.reserve(RAIL, "s", 1) == 0
    assert first.budgets.commit(RAIL, "r", 7) == 7
    first.close()
    second.close()
