# SPDX-License-Identifier: Apache-2.0
"""Who is credited, what is charged, what the reader is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bls.bidding import Seat
from bls.contracts import TOP, Flag, RowStatus
from bls.reply.outcome import Outcome
from bls.reply.receipt import Account

SEATS = (Seat("alpine_rail", "ad", 0.5), Seat("harbor_hotels", "ad", 0.5))
WEIGHTS = np.array([1.0, 0.5, 0.5], np.float32)


def outcome(**changes: Any) -> Outcome:
    fields: dict[str, Any] = {
        "token": 7,
        "ref_token": 7,
        "margin": 0.5,
        "near_tie": False,
        "p_token": np.array([0.2, 0.6, 0.4]),
        "pay": np.zeros(3),
        "critical_bid": np.zeros(3),
        "w_minus": np.array([1.0, 0.5, 0.5], np.float32),
        "row_status": np.zeros(3, np.int32),
        "log_z": np.zeros(3),
        "top_id": np.full((3, TOP), -1, np.int32),
        "top_logit": np.full((3, 3 * TOP), -np.inf, np.float32),
        "weights": WEIGHTS,
    }
    return Outcome(**(fields | changes))


def test_reference_token_is_organic() -> None:
    plain = outcome()
    assert not plain.sponsored
    assert plain.winner == 0
    assert plain.flags == Flag(0)


def test_changed_token_is_sponsored_even_when_nobody_is_pivotal() -> None:
    changed = outcome(ref_token=3)
    assert changed.sponsored
    assert changed.winner == 1  # the larger contribution
    assert Flag.SPONSORED in changed.flags


def test_kept_token_that_somebody_pays_for_is_sponsored() -> None:
    defended = outcome(pay=np.array([0, 0, 0.1]))
    assert defended.winner == 2
    assert Flag.SPONSORED in defended.flags


def test_flags_of_ties_and_dropped_rows() -> None:
    status = np.array([0, RowStatus.NOT_FINITE, 0], np.int32)
    flags = outcome(near_tie=True, row_status=status).flags
    assert flags == Flag.NEAR_TIE | Flag.ROW_DROPPED


def test_micro_units_are_rounded_once_per_reply() -> None:
    """1,000 tokens of 0.0004 micro each are 0.4 micro: rounding per token would lose all."""
    account = Account(SEATS, "clarke", micros_per_weight=1)
    for _ in range(1_000):
        account.add(outcome(token=1, pay=np.array([0, 0.0007, 0])))
    (first, second) = account.lines()
    assert (first["charge_micros"], second["charge_micros"]) == (1, 0)
    assert account.total_micros == 1
    assert isinstance(first["charge_micros"], int)


@pytest.mark.parametrize(("rule", "micros"), [("clarke", 100), ("critical_bid", 120)])
def test_both_rules_are_reported_one_is_charged(rule: str, micros: int) -> None:
    account = Account(SEATS, rule, micros_per_weight=1_000)
    paid = outcome(
        token=1,
        pay=np.array([0, 0.1, 0]),
        critical_bid=np.array([0, 0.2, 0]),
    )
    account.add(paid)
    line = account.lines()[0]
    assert (line["pay_micros"], line["critical_bid_micros"]) == (100, 120)
    assert line["charge_micros"] == account.total_micros == micros


def test_disclosure_names_who_influenced_and_nobody_else() -> None:
    account = Account(SEATS, "clarke", 1_000)
    account.add(outcome())
    assert account.disclosure() is None
    account.add(outcome(token=1, pay=np.array([0, 0, 0.1])))
    text = account.disclosure()
    assert text is not None
    assert "Harbor Hotels" in text and "Alpine" not in text
    assert "1 of the 2 tokens" in text
