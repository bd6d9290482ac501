# SPDX-License-Identifier: Apache-2.0
"""The score rises with similarity and with value; ties have one order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bls.select.mixer import mix, ranked

SHARE = st.floats(0.125, 0.875, width=32)
UNIT = st.floats(0, 1, width=32)


@pytest.mark.spec("MRO-U-04")
@given(sims=st.tuples(UNIT, UNIT), value=UNIT, lambda_sem=SHARE)
def test_more_similar_at_the_same_value_scores_higher(
    sims: tuple[float, float], value: float, lambda_sem: float
) -> None:
    low, high = min(sims), max(sims)
    scores = mix(
        np.array([low, high], np.float32), np.array([value, value], np.float32), lambda_sem
    )
    assert scores[0] <= scores[1]
    if high - low > 1e-5:
        assert scores[0] < scores[1]


@given(values=st.tuples(UNIT, UNIT), sim=UNIT, lambda_sem=SHARE)
def test_more_value_at_the_same_similarity_scores_higher(
    values: tuple[float, float], sim: float, lambda_sem: float
) -> None:
    low, high = min(values), max(values)
    scores = mix(np.array([sim, sim], np.float32), np.array([low, high], np.float32), lambda_sem)
    assert scores[0] <= scores[1]
    if high - low > 1e-5:
        assert scores[0] < scores[1]


def test_against_float64_and_in_f32() -> None:
    generator = np.random.default_rng(2)
    sim, val = generator.random((2, 500)).astype(np.float32)
    made = mix(sim, val, 0.3)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, 0.3 * sim.astype(float) + 0.7 * val.astype(float), rtol=1e-6)


def test_ties_go_to_similarity_then_to_the_lower_id() -> None:
    score = np.array([0.5, 0.5, 0.9, 0.5], np.float32)
    sim = np.array([0.2, 0.4, 0.1, 0.4], np.float32)
    assert ranked(score, sim, np.array([4, 3, 2, 1])).tolist() == [2, 3, 1, 0]
