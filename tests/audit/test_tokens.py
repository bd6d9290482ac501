# SPDX-License-Identifier: Apache-2.0
"""Per-token incentives: zero regret is measured, and a mechanism without it would be caught."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bls.audit.options import AuditOptions
from bls.audit.replies import Situation
from bls.audit.report import argmax_report
from bls.audit.tokens import TOLERANCE, TokenAudit, myerson, probabilities
from kernels_cuda.auction import Auction, Outcome, Path

OPTIONS = AuditOptions()


def audited(situations: list[Situation], auction: Any) -> TokenAudit:
    audit = TokenAudit(OPTIONS, auction)
    for situation in situations:
        audit.add(situation, probabilities(situation))
    return audit


def test_nobody_gains_by_lying_about_one_token(situations: list[Situation]) -> None:
    with Auction(Path.SCALAR) as auction:
        report = argmax_report(audited(situations, auction).figures, OPTIONS)
    assert report.pairs == 72 and report.bid.entries == 72 * 9
    assert report.bid.violations == 0
    assert set(report.distribution) == {"sharpened", "flattened", "point mass", "noise"}
    assert all(gains.violations == 0 for gains in report.distribution.values())
    assert report.myerson_difference < TOLERANCE and report.irrational == 0
    assert report.paying > 0.1 and report.by_factor[0].value < 0


class Charging:
    """The same winners, another payment."""

    def __init__(self, auction: Auction, share: float) -> None:
        self._auction = auction
        self._share = share

    def run(self, logits: Any, weights: Any, temperature: float) -> Outcome:
        got = self._auction.run(logits, weights, temperature)
        return replace(got, pay=weights.astype(np.float64) * got.p_token * self._share)


@pytest.mark.parametrize("share", [1.0, 1.2])
def test_a_pay_your_bid_auction_is_caught(situations: list[Situation], share: float) -> None:
    """It rewards underbidding, departs from Myerson, and above 1 it overcharges."""
    with Auction(Path.SCALAR) as auction:
        report = argmax_report(audited(situations, Charging(auction, share)).figures, OPTIONS)
    assert report.bid.violations > 0 and report.bid.most > 0.1
    assert report.myerson_difference > 0.1
    assert (report.irrational > 0) == (share > 1)


def test_the_integral_agrees_with_a_fine_sum(situations: list[Situation]) -> None:
    """Break points against brute force over 20,000 bids."""
    situation = situations[0]
    p = probabilities(situation)
    for row in (1, 2, 3):
        weight = float(situation.weights[row])
        shares = situation.weights.astype(np.float64)[:, None] * p
        without = np.delete(shares, row, axis=0).sum(axis=0)
        bids = (np.arange(20_000) + 0.5) / 20_000 * weight
        won = [p[row, int((without + bid * p[row]).argmax())] for bid in bids]
        final = p[row, int((without + weight * p[row]).argmax())]
        brute = weight * (final - float(np.mean(won)))
        assert myerson(situation, p, row) == pytest.approx(brute, abs=1e-4)
