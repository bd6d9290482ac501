# SPDX-License-Identifier: Apache-2.0
"""After a crash, receipts say what was billed; nothing else frees or spends what was held."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bls.brain.budget.budgets import Budgets
from bls.brain.budget.flight import Flight
from bls.brain.budget.reconcile import reconcile, reply_key
from bls.settlement.chain import GENESIS, link, seal
from bls.settlement.record import RECEIPTS, VERSION

FLIGHT = Flight(budget_micros=10_000, start=0, end=10_000)


@pytest.fixture
def budgets(tmp_path: Path) -> Budgets:
    """Two replies were under way when the process died."""
    flights = {"alpine": FLIGHT, "harbor": FLIGHT}
    before = Budgets(tmp_path / "budgets", flights, 1, wall=lambda: 5.0)
    for advertiser in flights:
        before.reserve(advertiser, reply_key("c1", "r1"), 500)
    before.reserve("alpine", reply_key("c2", "r2"), 300)
    before.close()
    return Budgets(tmp_path / "budgets", flights, 1, wall=lambda: 6.0)


def write_receipts(folder: Path, charge: int = 120) -> Path:
    lines = [{"advertiser": "alpine", "charge_micros": charge}]
    receipt = {"v": VERSION, "conv_id": "c1", "request_id": "r1", "lines": lines}
    body = json.dumps(receipt).encode()
    (folder / RECEIPTS).write_bytes(seal(body, link(GENESIS, body)))
    return folder / RECEIPTS


def test_receipts_settle_what_was_held(budgets: Budgets, tmp_path: Path) -> None:
    write_receipts(tmp_path)
    assert len(budgets.orphans) == 3 and reconcile(budgets, tmp_path) == 3
    assert (budgets.spent("alpine"), budgets.spent("harbor"), budgets.orphans) == (120, 0, ())
    assert budgets.state("alpine").budget_left == 9_880
    assert reconcile(budgets, tmp_path) == 0


def test_no_receipts_at_all_settle_nothing(budgets: Budgets, tmp_path: Path) -> None:
    assert reconcile(budgets, tmp_path) == 0
    assert budgets.state("alpine").budget_left == 9_200


def test_receipts_in_doubt_settle_nothing(budgets: Budgets, tmp_path: Path) -> None:
    path = write_receipts(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"120", b"100"))
    assert reconcile(budgets, tmp_path) == 0 and len(budgets.orphans) == 3
