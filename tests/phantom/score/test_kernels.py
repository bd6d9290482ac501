# SPDX-License-Identifier: Apache-2.0
"""Kernels: counted as they happened, rows stochastic whatever was counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bls.errors import SkynetError
from bls.phantom.actions import INDEX, NAMES
from bls.phantom.divergence import divergences, gap, nearest, probability
from bls.phantom.kernels import FIRST, STATES, centroid, kernel, stationary, transition_counts
from bls.phantom.proxy import demand_proxy
from bls.phantom.session import SessionEvent

COUNTS = hnp.arrays(np.float64, (STATES + 1, STATES), elements=st.floats(0, 1e300, allow_nan=False))


@pytest.mark.spec("PH-08")
def test_transitions_are_counted_and_the_first_act_apart() -> None:
    counts = transition_counts(["search", "view_item", "view_item", "view_item"])
    search, view = INDEX["search"], INDEX["view_item"]
    assert counts[FIRST, search] == counts[search, view] == 1
    assert counts[view, view] == 2 and counts.sum() == 4
    assert transition_counts([]).sum() == 0


@pytest.mark.spec("PH-08")
def test_unknown_acts_count_as_their_nearest_by_prefix() -> None:
    told = ["hover_over_it", "Filter-Date", "delete_it", "what", "buy now"]
    meant = ["hover_title", "filter_date", "remove", "page_view", "purchase"]
    np.testing.assert_array_equal(transition_counts(told), transition_counts(meant))


@pytest.mark.spec("PH-08")
@settings(max_examples=25, deadline=None)
@given(COUNTS, st.floats(0, 100))
def test_rows_are_stochastic_for_any_counts(counts: np.ndarray, smoothing: float) -> None:
    found = kernel(counts, smoothing)
    assert found.shape == (STATES, STATES) and (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-9)


@pytest.mark.spec("PH-08")
def test_without_smoothing_a_kernel_is_the_mle() -> None:
    counts = transition_counts(["search", "sort", "search", "sort", "search", "view_item"])
    row = kernel(counts, 0.0)[INDEX["search"]]
    assert row[INDEX["sort"]] == pytest.approx(2 / 3)
    assert row[INDEX["view_item"]] == pytest.approx(1 / 3)
    np.testing.assert_allclose(kernel(counts, 0.0)[INDEX["purchase"]], 1 / STATES)


@pytest.mark.parametrize(
    ("counts", "smoothing"),
    [
        (np.full((15, 14), -1.0), 0.1),
        (np.full((15, 14), np.nan), 0.1),
        (np.zeros((15, 13)), 0.1),
        (np.zeros((15, 14)), -0.1),
        (np.zeros((15, 14)), np.inf),
    ],
)
def test_what_is_no_count_is_refused(counts: np.ndarray, smoothing: float) -> None:
    with pytest.raises(SkynetError) as caught:
        kernel(counts, smoothing)
    assert caught.value.code == "bad_counts"


@pytest.mark.spec("PH-08")
def test_a_stationary_distribution_is_kept() -> None:
    rng = np.random.default_rng(0)
    chain = kernel(rng.poisson(2, (15, 14)).astype(float))
    found = stationary(chain)
    assert found.sum() == pytest.approx(1)
    np.testing.assert_allclose(found @ chain, found, atol=1e-9)


@pytest.mark.spec("PH-08")
@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(NAMES), max_size=30), st.integers(0, 99))
def test_divergences_are_not_negative_and_match_the_plain_sum(acts: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = transition_counts(acts)
    other = centroid(rng.poisson(0.3, (3, 15, 14)))
    found = divergences(counts[None], other[None])[0, 0]
    own, rows = kernel(counts), [row for row in range(STATES) if counts[row].any()]
    each = [float(own[row] @ np.log(own[row] / other[row])) for row in rows]
    assert found == pytest.approx(np.mean(each) if each else 0.0, abs=1e-9)
    assert found >= -1e-12
    assert divergences(counts[None], own[None])[0, 0] == pytest.approx(0, abs=1e-12)


@pytest.mark.spec("PH-08")
def test_the_nearest_sub_kernel_counts_and_the_gap_becomes_a_probability() -> None:
    rng = np.random.default_rng(1)
    kinds = np.stack([centroid(rng.poisson(1, (1, 15, 14))) for _ in range(3)])
    counts = rng.poisson(1, (5, 15, 14)).astype(float)
    np.testing.assert_allclose(nearest(counts, kinds), divergences(counts, kinds).min(axis=1))
    gaps = gap(nearest(counts, kinds[:1]), nearest(counts, kinds))
    assert (gaps >= 0).all()
    np.testing.assert_allclose(probability(np.array([-1e6, 0.0, 1e6]), 0.5), [0, 0.5, 1])


@pytest.mark.spec("PH-05")
def test_the_demand_proxy_is_a_hundred_over_the_catalogue() -> None:
    acts = [("add_item", "a"), ("view_item", "b"), ("hover_title", "b"), ("sort", ""), ("buy", "z")]
    events = [SessionEvent(action, item, at) for at, (action, item) in enumerate(acts)]
    found = demand_proxy(events, ["a", "b", "c"])
    assert list(found) == ["a", "b", "c"]
    assert found["a"] == pytest.approx(100 * 4 / 7) and found["c"] == 0
    assert sum(found.values()) == pytest.approx(100)
    assert demand_proxy([], ["a"]) == {"a": 0.0}
