# SPDX-License-Identifier: Apache-2.0
"""The audit replay: logged winners and prices derived again, promises checked, a line per token."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bls.settlement.bounds import Bounds, Verdict
from bls.settlement.events import batches
from bls.settlement.faults import Faults
from bls.settlement.prices import Prices
from bls.settlement.properties import individually_rational, monotone
from bls.settlement.reader import Reader
from bls.settlement.record import BIDS, VCG
from bls.settlement.replay import CSV, check, replay
from tests.settlement.tamper import Json, forge
from tests.settlement.workshop import Workshop, write

Make = Callable[..., Workshop]


def table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.spec("AUC-S-02")
def test_a_hundred_thousand_events(tmp_path: Path, workshop: Make) -> None:
    """Kernel outcomes through the ledger: critical bids monotone, nobody overpays."""
    shop = workshop(rows=3, vocab=96)
    for _ in range(8):
        write(tmp_path, [record for _ in range(50) for record in shop.reply(250)])
    audit = replay(tmp_path, tmp_path / CSV)
    assert audit.ok and audit.tokens == 100_000 and not audit.faults.counts
    assert audit.passed >= 0.999 * audit.tokens
    assert audit.irrational == audit.not_monotone == 0
    lines = table(tmp_path / CSV)
    assert len(lines) == 100_000
    assert sum(line["pass"] == "1" for line in lines) == audit.passed
    proven = sum(line["winner"] == "proven" == line["pay"] for line in lines)
    assert proven > 0.99 * len(lines)


def test_drawn_tokens(tmp_path: Path, workshop: Make) -> None:
    """Most draws are proven from the record, none is refuted; rationality holds on average only."""
    shop = workshop(mode="sample")
    write(tmp_path, [record for _ in range(5) for record in shop.reply(200)])
    audit = replay(tmp_path, tmp_path / CSV)
    winner = audit.as_json()["verdicts"]["sample"]["winner"]
    assert audit.ok and "refuted" not in winner and winner["proven"] > 700
    assert audit.drawn_payments > audit.drawn_above_value > 0


def swap_winner(lines: list[Json]) -> None:
    line = next(x for x in lines if x["margin"] > 0.05 and x["token"] != x["ref_token"])
    line["token"] = line["ref_token"]


def lower_critical_bid(lines: list[Json]) -> None:
    line = next(x for x in lines if max(x["critical_bid"]) > 0.1)
    line["critical_bid"] = [bid / 2 for bid in line["critical_bid"]]


def overcharge(lines: list[Json]) -> None:
    line = next(x for x in lines if max(x["pay"]) > 0.01)
    line["pay"] = [pay and p * 10 for pay, p in zip(line["pay"], line["p_token"], strict=True)]


def other_reference(lines: list[Json]) -> None:
    lines[0]["ref_token"] += 1


def other_probability(lines: list[Json]) -> None:
    lines[0]["p_token"][0] *= 1.01


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        (swap_winner, "winner"),
        (lower_critical_bid, "critical_bid"),
        (overcharge, "pay"),
        (overcharge, "individually_rational"),
        (other_reference, "evidence"),
        (other_probability, "evidence"),
    ],
)
def test_a_forged_claim_fails_its_token_alone(
    tmp_path: Path, workshop: Make, change: Callable[[list[Json]], None], claim: str
) -> None:
    write(tmp_path, workshop().reply(100))
    forge(tmp_path / VCG, change)
    audit = replay(tmp_path, tmp_path / CSV)
    (line,) = [line for line in table(tmp_path / CSV) if line["pass"] == "0"]
    assert line[claim] in ("refuted", "0")
    assert audit.passed == 99 and not audit.ok


def test_another_seed_is_another_draw(tmp_path: Path, workshop: Make) -> None:
    """A token of somebody's choice does not pass as drawn."""
    shop = workshop(mode="sample")
    write(tmp_path, [record for _ in range(5) for record in shop.reply(100)])

    def reseed(lines: list[Json]) -> None:
        for line in lines:
            line["seed"] += 1

    forge(tmp_path / BIDS, reseed)
    audit = replay(tmp_path, tmp_path / CSV)
    refuted = audit.verdicts["sample", "winner", "refuted"]
    assert not audit.ok and refuted > 200


def test_promises_are_checked_not_assumed(tmp_path: Path, workshop: Make) -> None:
    """A mechanism that charges the bid itself fails monotonicity or rationality somewhere."""
    write(tmp_path, workshop().reply(200))
    faults = Faults()
    (events,) = batches(Reader(tmp_path, faults).joined(), faults)
    bounds = Bounds.of(events)
    prices = Prices.of(events, bounds)
    assert individually_rational(events, bounds).all() and monotone(events, bounds, prices).all()
    object.__setattr__(events, "critical_bid", events.critical_bid * 0.5)
    assert not monotone(events, bounds, prices).all()
    object.__setattr__(events, "pay", events.weights * events.p_token * 1.1)
    assert not individually_rational(events, bounds).any()
    assert (check(events).claims["pay"] == Verdict.REFUTED).all()


def test_padding_and_batches_change_nothing(tmp_path: Path, workshop: Make) -> None:
    """A token's verdicts do not depend on what it is checked with."""
    shop = workshop()
    write(tmp_path, shop.reply(30))
    shop.rows = 2
    write(tmp_path, shop.reply(30))
    results = []
    for size in (1, 7, 2_048):
        faults = Faults()
        found = {}
        for events in batches(Reader(tmp_path, faults).joined(), faults, size):
            checked = check(events)
            for place, key in enumerate(events.keys):
                claims = [int(verdicts[place]) for verdicts in checked.claims.values()]
                found[key] = (claims, bool(checked.passed[place]))
        results.append(found)
    assert results[0] == results[1] == results[2] and len(results[0]) == 60
    assert all(passed for _, passed in results[0].values())


def test_near_ties_are_decided_at_the_kernels_precision(tmp_path: Path, workshop: Make) -> None:
    """Two equal best tokens: the lower id wins, and the record proves it."""
    shop = workshop(rows=2, vocab=50)
    reply = shop.tied_reply(20)
    write(tmp_path, reply)
    audit = replay(tmp_path, tmp_path / CSV)
    assert audit.verdicts["argmax", "winner", "proven"] == 20
    assert np.mean([r.outcome.near_tie for r in reply[:-1]]) == 1.0  # type: ignore[union-attr]
