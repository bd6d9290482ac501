# SPDX-License-Identifier: Apache-2.0
"""False histories are the size they say, and the rest is left alone."""

from __future__ import annotations

import numpy as np

from export.bid_predictor import corrupt

PAST = np.random.default_rng(0).normal(-1, 0.2, (2000, 15))


def test_spikes_are_tenfold_and_few() -> None:
    moved = corrupt.spikes(PAST, np.random.default_rng(1)) - PAST
    assert np.allclose(moved[moved != 0], np.log(10))
    assert set((moved != 0).sum(1)) == {1, 2, 3}


def test_bluffs_are_one_run_at_a_tenth() -> None:
    moved = corrupt.bluffs(PAST, np.random.default_rng(1)) - PAST
    assert np.allclose(moved[moved != 0], -np.log(10))
    assert set((moved != 0).sum(1)) == set(range(1, 8))
    assert (np.abs(np.diff(moved != 0, axis=1, prepend=0, append=0)).sum(1) == 2).all()


def test_silences_are_one_run_at_the_floor() -> None:
    out = corrupt.silences(PAST, np.random.default_rng(1))
    assert np.allclose(out[out != PAST], np.log(0.01))


def test_a_share_is_corrupted_and_the_seed_decides() -> None:
    first = corrupt.mixed(PAST, np.random.default_rng(2), 0.25)
    assert np.array_equal(first, corrupt.mixed(PAST, np.random.default_rng(2), 0.25))
    assert 0.2 < (first != PAST).any(1).mean() < 0.3
    assert np.array_equal(corrupt.mixed(PAST, np.random.default_rng(2), 0.0), PAST)
    assert (corrupt.mixed(PAST, np.random.default_rng(2), 1.0) != PAST).any(1).all()
