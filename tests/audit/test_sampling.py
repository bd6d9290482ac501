# SPDX-License-Identifier: Apache-2.0
"""The sampling mode's expected utility: closed form, Monte Carlo, and its best bid."""

from __future__ import annotations

import numpy as np
import pytest

from bls.audit.options import AuditOptions
from bls.audit.replies import Situation
from bls.audit.report import sampling_report
from bls.audit.sampling import SamplingAudit, Terms
from bls.audit.tokens import probabilities
from kernels_cuda.auction import Auction, Draw

OPTIONS = AuditOptions(draws=200)


def test_the_closed_form_is_the_mean_of_the_kernels_draws(situations: list[Situation]) -> None:
    """Utility and payment over 20,000 draws, within four standard errors."""
    situation = situations[0]
    p = probabilities(situation)
    pays, values = [], []
    with Auction() as auction:
        for index in range(20_000):
            got = auction.run(
                situation.logits, situation.weights, situation.temperature, draw=Draw(1, 2, index)
            )
            pays.append(got.pay)
            values.append(situation.weights * p[:, got.token])
    for row in (1, 2, 3):
        terms = Terms.of(situation, p, row)
        pay, utility = np.array(pays)[:, row], np.array(values)[:, row] - np.array(pays)[:, row]
        bid = np.array(terms.value)
        assert abs(pay.mean() - terms.payment(bid)) < 4 * pay.std() / np.sqrt(len(pay))
        assert abs(utility.mean() - terms.utility(bid)) < 4 * utility.std() / np.sqrt(len(utility))


def test_the_best_factor_maximises_expected_utility(situations: list[Situation]) -> None:
    factors = np.linspace(0, 3, 3_001)
    for situation in situations:
        p = probabilities(situation)
        for row in (1, 2, 3):
            terms = Terms.of(situation, p, row)
            utility = terms.utility(terms.value * factors)
            assert 0 <= terms.best_factor <= 1
            assert factors[utility.argmax()] == pytest.approx(terms.best_factor, abs=1.1e-3)


def test_the_report_says_that_shading_pays(situations: list[Situation]) -> None:
    with Auction() as auction:
        audit = SamplingAudit(OPTIONS, auction)
        for situation in situations:
            audit.add(situation, probabilities(situation))
    report = sampling_report(audit.figures, OPTIONS)
    assert 0 < report.best_factor.value < 1
    assert report.best_gain.low > 0
    assert report.by_factor[OPTIONS.truth].value == 0 and report.by_factor[-1].value < 0
    assert 0 < report.above_value < 1
    assert report.drawn_over_expected.value == pytest.approx(1, abs=0.1)
