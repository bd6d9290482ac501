# SPDX-License-Identifier: Apache-2.0
"""v = CPM/1000 + CPC; medians where something is missing; the running cap."""

from __future__ import annotations

import numpy as np
import pytest

from bls.select.values import running_cap, scaled, values
from tests.select.world import Ads, Exact, World, campaign, unit


def test_the_formula_in_whole_micro_dollars() -> None:
    made = values([campaign("a", cpm_micros=2_500_400, cpc_micros=30)])
    assert made.micros == {"a": 2_530} and not made.filled


@pytest.mark.spec("MRO-U-05")
def test_what_is_missing_is_the_advertisers_median_then_the_platforms() -> None:
    own = [
        campaign(name, "adv42", cpm_micros=cpm, cpc_micros=0)
        for name, cpm in (("a", 500_000), ("b", 1_000_000), ("c", 9_000_000), ("d", None))
    ]
    others = [
        campaign("e", "other", cpm_micros=7_000_000, cpc_micros=200),
        campaign("f", "bare", cpm_micros=None, cpc_micros=None),
    ]
    made = values(own + others)
    assert made.micros["d"] == 1_000, "the median of adv42's others, 1 dollar a thousand"
    assert made.micros["f"] == 4_000, "CPM: of 0.5, 1, 7, 9 dollars; CPC: of 0, 0, 0, 0, 200"
    assert made.filled == {"d", "f"}
    assert values([campaign("x", cpm_micros=None, cpc_micros=None)]).micros == {"x": 0}


@pytest.mark.spec("MRO-U-05")
def test_a_filled_value_is_counted_told_and_scored() -> None:
    ads = Ads(
        campaign("a", "adv42", cpm_micros=1_000_000, cpc_micros=0),
        campaign("b", "adv42", cpm_micros=None, cpc_micros=0),
    )
    vectors = np.repeat(unit(np.random.default_rng(1), 1), 2, axis=0)
    world = World(ads, Exact(vectors, ["a", "b"]))
    assert world.stats.no_cpm == 1
    told = world.log.of("mixer.warn.no_cpm")
    assert told == [{"campaign_id": "b", "value_micros": 1_000}]
    world.boards.refresh()
    assert world.stats.no_cpm == 1, "once a campaign"
    board = world.boards.of(7)
    assert board.values[0] == board.values[1] and board.micros("b") == 1_000


def test_the_cap_is_a_quantile_of_the_live_creatives() -> None:
    micros = np.array([10, 1_000_000, 20, 30], np.int64)
    assert running_cap(micros, np.array([50, 1, 30, 20])) == 30
    assert running_cap(micros, np.array([1, 1, 1, 1])) == 1_000_000
    assert running_cap(micros[:0], micros[:0]) == 1.0
    assert running_cap(np.zeros(2, np.int64), np.array([3, 3])) == 1.0
    assert running_cap(micros, np.zeros(4, np.int64)) == 1.0
    assert scaled(micros, 30.0).tolist() == [np.float32(1 / 3), 1.0, np.float32(2 / 3), 1.0]
