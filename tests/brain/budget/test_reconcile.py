# SPDX-License-Identifier: Apache-2.0
"""After a crash, receipts say what was billed; nothing else frees or spends what was held."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bls.ads.flight import Flight
from bls.ads.ledger import Ledger
from bls.brain.budget.reconcile import reconcile, reply_key
from bls.settlement.chain import GENESIS, link, seal
from bls.settlement.record import RECEIPTS, VERSION
from tests.bls.ads.flights import give

FLIGHT = Flight(budget_micros=10_000, start=0, end=10_000)


def ledger_of(engine: Engine, session: str) -> Ledger:
    return Ledger(engine, "server", session, wall=lambda: 5.0)


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    """Two replies were under way when the process died; another server goes on."""
    flights = {"alpine": FLIGHT, "harbor": FLIGHT}
    give(engine, flights)
    before = ledger_of(engine, "before")
    for advertiser in flights:
        before.reserve(advertiser, reply_key("c1", "r1"), 500)
    before.reserve("alpine", reply_key("c2", "r2"), 300)
    Ledger(engine, "other", "x", wall=lambda: 5.0).reserve("alpine", reply_key("c3", "r3"), 100)
    return ledger_of(engine, "now")


def spent(ledger: Ledger, advertiser: str) -> int:
    account = ledger.last(advertiser)
    assert account is not None
    return account.spent


def free(ledger: Ledger) -> int:
    account = ledger.last("alpine")
    assert account is not None
    return account.free


def write_receipts(folder: Path, charge: int = 120) -> Path:
    lines = [{"advertiser": "alpine", "charge_micros": charge}]
    receipt = {"v": VERSION, "conv_id": "c1", "request_id": "r1", "lines": lines}
    body = json.dumps(receipt).encode()
    (folder / RECEIPTS).write_bytes(seal(body, link(GENESIS, body)))
    return folder / RECEIPTS


def test_receipts_settle_what_was_held(ledger: Ledger, tmp_path: Path) -> None:
    write_receipts(tmp_path)
    assert len(ledger.orphans()) == 3 and reconcile(ledger, tmp_path) == 3
    assert (spent(ledger, "alpine"), spent(ledger, "harbor"), ledger.orphans()) == (120, 0, ())
    assert free(ledger) == 10_000 - 120 - 100  # the other server's reply goes on
    assert reconcile(ledger, tmp_path) == 0


def test_no_receipts_at_all_settle_nothing(ledger: Ledger, tmp_path: Path) -> None:
    assert reconcile(ledger, tmp_path) == 0
    assert free(ledger) == 9_100


def test_receipts_in_doubt_settle_nothing(ledger: Ledger, tmp_path: Path) -> None:
    path = write_receipts(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"120", b"100"))
    assert reconcile(ledger, tmp_path) == 0 and len(ledger.orphans()) == 3
