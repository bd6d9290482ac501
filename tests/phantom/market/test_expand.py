# SPDX-License-Identifier: Apache-2.0
"""Catalogue expansion: rows stay stochastic, acts behave as before, nothing dense is built."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bls.errors import SkynetError
from pipelines_dagster.phantom.market.behaviour import AGENT, HUMAN, acts, built_in
from pipelines_dagster.phantom.market.expand import NO_ITEM, Expansion

pytestmark = pytest.mark.spec("PH-09")
_PLAIN = {"min_value": 0.0, "max_value": 1.0}


@st.composite
def expansions(draw):
    size = draw(st.integers(1, 5))
    kernel = draw(arrays.arrays(float, (size, size), elements=st.floats(**_PLAIN))) + 1e-3
    demand = draw(arrays.arrays(float, st.integers(1, 6), elements=st.floats(**_PLAIN)))
    demand[0] += 0.1
    on_item = draw(arrays.arrays(bool, size))
    stay = draw(st.floats(0, 0.99))
    rows = kernel / kernel.sum(axis=1, keepdims=True)
    return Expansion(rows, demand / demand.sum(), on_item, stay)


@settings(max_examples=30, deadline=None)
@given(expansions(), st.integers(1, 7))
def test_rows_are_laws_and_items_sum_to_the_kernel(one, top):
    for keep in (None, top):
        matrix = one.sparse(keep).toarray()
        assert matrix.shape == (one.states, one.states)
        assert (matrix >= 0).all()
        assert matrix.sum(axis=1) == pytest.approx(np.ones(one.states))
        acts_ = np.concatenate([np.repeat(one.bound, one.items), one.generic])
        for state, act in enumerate(acts_):
            back = np.bincount(acts_, matrix[state], minlength=len(one.kernel))
            assert back == pytest.approx(one.kernel[act], abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(expansions(), st.integers(0, 999))
def test_factors_multiply_like_the_matrix(one, seed):
    law = np.random.default_rng(seed).dirichlet(np.ones(one.states))
    assert one.forward(law) == pytest.approx(law @ one.sparse().toarray())


def test_blocks_are_kronecker_products():
    kernel, demand = np.array([[0.25, 0.75], [0.5, 0.5]]), np.array([0.2, 0.8])
    everything = Expansion(kernel, demand, np.array([True, True]))
    block = np.ones((2, 1)) * demand
    assert everything.sparse().toarray() == pytest.approx(np.kron(kernel, block))
    mixed = Expansion(kernel, demand, np.array([True, False]), stay=0.5)
    assert mixed.sparse().toarray() == pytest.approx(
        np.array([[0.25 * 0.6, 0.25 * 0.4, 0.75], [0.25 * 0.1, 0.25 * 0.9, 0.75], [0.1, 0.4, 0.5]])
    )
    assert (mixed.state(0, 1), mixed.state(1, 0)) == (1, 2)


def test_sampling_follows_the_matrix():
    demand = np.array([0.5, 0.3, 0.2])
    one = Expansion(built_in().kernels[HUMAN], demand, stay=0.4)
    rng = np.random.default_rng(3)
    found = acts(built_in(), HUMAN, np.full(6000, 12), rng)
    items = one.sample(found, rng)
    states = np.vectorize(one.state)(found, np.maximum(items, 0))
    counts = np.zeros((one.states, one.states))
    np.add.at(counts, (states[:, :-1], states[:, 1:]), 1)
    seen = counts.sum(axis=1)
    law = one.sparse().toarray()
    known = seen > 1000
    error = np.sqrt(law * (1 - law) / np.maximum(seen, 1)[:, None])
    assert known.sum() > 8
    measured = counts / np.maximum(seen, 1)[:, None]
    assert np.all(np.abs(measured - law)[known] < 5 * error[known] + 1e-3)
    assert np.array_equal(items == NO_ITEM, ~one.on_item[found])


def test_a_thousand_items_and_fourteen_acts_fit():
    demand = np.arange(1.0, 1001.0)
    one = Expansion(built_in().kernels[AGENT], demand / demand.sum(), np.ones(14, bool), stay=0.3)
    assert one.states == 14_000
    law = one.forward(np.full(14_000, 1 / 14_000))
    assert law.sum() == pytest.approx(1.0)
    with pytest.raises(SkynetError) as refused:
        one.sparse()
    assert refused.value.code == "expansion_too_large"
    matrix = one.sparse(top=8)
    # a block's row: its own item and the 8 it jumps to, or 8 where it is one of them
    assert matrix.nnz == 14 * 14 * (1000 * 9 - 8)
    assert np.abs(np.asarray(matrix.sum(axis=1)) - 1).max() < 1e-12


def test_refuses_what_is_no_law():
    kernel, demand = np.eye(2), np.array([0.5, 0.5])
    on_item = np.array([True, False])
    for wrong in (
        lambda: Expansion(kernel * 2, demand, on_item),
        lambda: Expansion(kernel, demand * 2, on_item),
        lambda: Expansion(kernel, np.array([]), on_item),
        lambda: Expansion(np.eye(3), demand, on_item),
        lambda: Expansion(kernel, demand, on_item, stay=1.0),
        lambda: Expansion(kernel, demand, on_item).sparse(top=0),
    ):
        with pytest.raises(SkynetError) as refused:
            wrong()
        assert refused.value.code == "bad_expansion"
