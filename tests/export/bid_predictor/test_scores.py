# SPDX-License-Identifier: Apache-2.0
"""Scores on forecasts whose quality is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp, kstest

from export.bid_predictor.scores import ks_between, ks_uniform, score


def test_the_true_law_scores_as_it_should() -> None:
    label = np.random.default_rng(0).normal(1, 0.5, 20_000)
    found = score(torch.tensor([[1.0, 0.5, 1.0, 0.5, 0.5]]).repeat(20_000, 1), label)
    assert found.rmse == pytest.approx(0.5, abs=0.01)
    assert found.ks < 0.012
    assert found.nll == pytest.approx(np.log(0.5) + 0.5 * np.log(2 * np.pi * np.e), abs=0.02)
    narrow = score(torch.tensor([[1.0, 0.1, 1.0, 0.1, 0.5]]).repeat(20_000, 1), label)
    assert narrow.ks > 0.2
    assert narrow.crps > found.crps
    assert narrow.as_dict()["rows"] == 20_000


def test_ks_distances_are_scipys() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.beta(2, 2, 500), rng.random(700)
    assert ks_uniform(first) == pytest.approx(kstest(first, "uniform").statistic)
    assert ks_between(first, second) == pytest.approx(ks_2samp(first, second).statistic)
