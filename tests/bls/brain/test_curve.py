# SPDX-License-Identifier: Apache-2.0
"""The value curve: shape, sums, lengths, and what the guard refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bls.brain.curve import check_curve, value, value_curve
from bls.contracts import AD_TOKENS
from bls.errors import SkynetError

SEED = (10.0, 0.5, 4.0)

curves = st.tuples(
    st.floats(0, 1e4, width=32),
    st.floats(2**-10, 10, width=32),
    st.floats(1, 200, width=32),
    st.integers(1, AD_TOKENS),
)


@pytest.mark.spec("TVE-U-01")
def test_seed_curve_rises_to_its_plateau() -> None:
    v = value(*SEED)
    assert (np.diff(v[:16]) > 0).all()
    assert abs(v[15] - 10) < 0.03  # 9.975: the seed's 0.01 is reached at k = 18
    assert abs(v[17] - 10) < 0.01
    assert abs(v[-1] - 10) < 1e-5


@pytest.mark.spec("TVE-U-02")
def test_value_and_loss_sum_to_the_plateau() -> None:
    gain, loss = value_curve(*SEED, AD_TOKENS)
    assert gain.dtype == loss.dtype == np.float32
    assert np.abs(np.cumsum(gain, dtype=np.float64) + loss - 10).max() < 1e-4


@pytest.mark.spec("TVE-C-02")
@pytest.mark.parametrize("count", range(1, AD_TOKENS + 1))
def test_curve_has_the_length_of_the_trajectory(count: int) -> None:
    gain, loss = value_curve(3.0, 0.4, 30.0, count)
    assert gain.shape == loss.shape == (AD_TOKENS,)
    assert (gain[:count] > 0).all() and (loss[:count] > 0).all()
    assert not gain[count:].any() and not loss[count:].any()


@given(curves)
def test_any_served_curve_is_finite_and_consistent(curve: tuple[float, float, float, int]) -> None:
    v_max, a, k_0, count = curve
    gain, loss = value_curve(v_max, a, k_0, count)
    assert np.isfinite(gain).all() and np.isfinite(loss).all()
    assert (gain >= 0).all() and (loss >= 0).all()
    assert abs(gain.sum(dtype=np.float64) + loss[count - 1] - v_max) <= 1e-6 * max(v_max, 1.0) * 8


def test_many_curves_at_once_are_the_single_ones() -> None:
    v_max, a, k_0, count = [1.0, 0.0, 7.0], [0.1, 10.0, 2.0], [1.0, 9.0, 40.0], [1, 20, 48]
    gain, loss = value_curve(v_max, a, k_0, count)
    for row, curve in enumerate(zip(v_max, a, k_0, count, strict=True)):
        one_gain, one_loss = value_curve(*curve)
        assert np.array_equal(gain[row], one_gain) and np.array_equal(loss[row], one_loss)


@pytest.mark.spec("TVE-C-05")
@pytest.mark.parametrize(
    ("v_max", "a", "k_0"),
    [
        (1.0, 0.5, 0.99),
        (1.0, 10.01, 4.0),
        (1.0, 0.0, 4.0),
        (1.0, -1.0, 4.0),
        (-0.1, 0.5, 4.0),
        (float("nan"), 0.5, 4.0),
        (float("inf"), 0.5, 4.0),
        (1.0, float("nan"), 4.0),
        (1.0, 0.5, float("inf")),
        ([1.0, 1.0], [0.5, 11.0], [4.0, 4.0]),
    ],
)
def test_parameters_out_of_range_are_refused(v_max: float, a: float, k_0: float) -> None:
    with pytest.raises(SkynetError) as caught:
        value_curve(v_max, a, k_0, 8)
    assert caught.value.code == "bad_curve" and caught.value.status == 400


@pytest.mark.parametrize("spread", [-1.0, float("nan")])
def test_a_broken_spread_is_refused(spread: float) -> None:
    with pytest.raises(SkynetError, match="finite"):
        check_curve(1.0, 0.5, 4.0, spread)


@pytest.mark.parametrize("count", [0, 49, -3])
def test_a_trajectory_has_1_to_48_tokens(count: int) -> None:
    with pytest.raises(SkynetError) as caught:
        value_curve(*SEED, count)
    assert caught.value.code == "bad_count"
