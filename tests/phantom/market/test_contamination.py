# SPDX-License-Identifier: Apache-2.0
"""G(alpha): the rounding rule, seeds, labels kept, inputs untouched."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bls.errors import SkynetError
from bls.phantom.actions import ACTIONS, NAMES
from bls.phantom.kernels import FIRST, transition_counts
from bls.phantom.session import Session, SessionEvent
from pipelines_dagster.phantom.market.behaviour import (
    AGENT,
    ON_ITEM,
    Behaviour,
    acts,
    behaviour_of,
    built_in,
    count,
)
from pipelines_dagster.phantom.market.contamination import ORIGIN, added, contaminate, share

pytestmark = pytest.mark.spec("PH-09")


def _clean(number: int) -> list[Session]:
    events = (
        SessionEvent("page_view", "", 1_000),
        SessionEvent("view_item", "h1", 2_000),
        SessionEvent("add_item", "h2", 4_000),
    )
    return [
        Session(f"s{one}", "hotel", 1_000 + one, events, label="human", origin="import:sheet")
        for one in range(number)
    ]


@given(st.integers(0, 5_000), st.integers(0, 99))
def test_rounds_up_and_no_further(clean, percent):
    more = added(clean, percent / 100)
    assert more * 100 >= percent * (clean + more)
    if more:
        assert (more - 1) * 100 < percent * (clean + more - 1)


_BY_HAND = [(10, 0.5, 10), (7, 0.3, 3), (70, 0.3, 30), (9, 0.1, 1), (10, 0.0, 0), (0, 0.9, 0)]


@pytest.mark.parametrize(("clean", "alpha", "more"), _BY_HAND)
def test_rounding_by_hand(clean, alpha, more):
    assert added(clean, alpha) == more


def test_adds_agents_to_the_share_and_leaves_the_rest_alone():
    clean = _clean(30)
    before = deepcopy(clean)
    mixed = contaminate(clean, 0.4, built_in(), seed=3)
    assert clean == before
    assert mixed[:30] == before
    assert share(mixed) == pytest.approx(0.4)
    new = mixed[30:]
    assert len({each.sid for each in mixed}) == len(mixed) == 50
    assert {(each.label, each.actor, each.origin, each.mode) for each in new} == {
        ("synthetic", "agent", ORIGIN, "hotel")
    }
    for session in new:
        assert len(session.events) >= 2
        assert session.start_ms == session.events[0].ts_ms
        times = [event.ts_ms for event in session.events]
        assert times == sorted(set(times))
        for event in session.events:
            on_item = bool(ON_ITEM[list(ACTIONS).index(event.action)])
            assert event.item in ({"h1", "h2"} if on_item else {""})


def test_same_seed_same_sessions():
    clean = _clean(9)
    assert contaminate(clean, 0.5, built_in(), seed=1) == contaminate(
        clean, 0.5, built_in(), seed=1
    )
    assert contaminate(clean, 0.5, built_in(), seed=1) != contaminate(
        clean, 0.5, built_in(), seed=2
    )


def test_names_never_clash():
    clean = _clean(4)
    taken = [replace(clean[0], sid="contamination_1_0"), replace(clean[1], sid="contamination_1_2")]
    mixed = contaminate(taken, 0.5, built_in(), seed=1)
    assert [each.sid for each in mixed[2:]] == ["contamination_1_1", "contamination_1_3"]


def test_acts_follow_the_agent_kernel():
    mixed = contaminate(_clean(300), 0.8, built_in(), seed=5)
    counts = sum(transition_counts(e.action for e in each.events) for each in mixed[300:])
    rows = counts[:FIRST].sum(axis=1)
    measured = counts[:FIRST] / np.maximum(rows, 1)[:, None]
    law = built_in().kernels[AGENT]
    error = np.sqrt(law * (1 - law) / np.maximum(rows, 1)[:, None])
    known = rows > 200
    assert known.sum() >= 5
    assert np.all(np.abs(measured - law)[known] < 5 * error[known] + 2e-3)


def test_a_clean_set_without_acts_on_items_still_mixes():
    empty = [replace(_clean(1)[0], events=(SessionEvent("page_view", "", 1),))]
    assert {e.item for e in contaminate(empty, 0.5, built_in(), seed=1)[1].events} == {""}
    assert share([]) == 0.0


@pytest.mark.parametrize("alpha", [1.0, -0.1, float("nan")])
def test_refuses_shares(alpha):
    with pytest.raises(SkynetError) as refused:
        contaminate(_clean(2), alpha, built_in(), seed=1)
    assert refused.value.code == "bad_alpha"


def test_refuses_sets_that_are_not_clean():
    clean = _clean(2)
    for other in (
        replace(clean[0], sid="x", label="agent"),
        replace(clean[0], sid="x", label="synthetic", actor="agent"),
        replace(clean[0], sid="x", mode="airline"),
    ):
        with pytest.raises(SkynetError) as refused:
            contaminate([*clean, other], 0.5, built_in(), seed=1)
        assert refused.value.code == "not_clean"


def test_behaviour_is_measured_on_sessions():
    clean = _clean(3)
    agents = contaminate(clean, 0.9, built_in(), seed=2)[3:]
    found = behaviour_of(clean, agents)
    assert found.kernels[0][NAMES.index("page_view"), NAMES.index("view_item")] > 0.7
    assert found.first[0][NAMES.index("page_view")] > 0.9
    for people, others in (([], agents), (clean, [])):
        with pytest.raises(SkynetError) as refused:
            behaviour_of(people, others)
        assert refused.value.code == "bad_behaviour"


def test_behaviour_refuses_rows_that_are_no_laws():
    good = built_in()
    for kernels, first in ((good.kernels * 2, good.first), (good.kernels, good.first[:, :3])):
        with pytest.raises(SkynetError) as refused:
            Behaviour(kernels, first)
        assert refused.value.code == "bad_behaviour"


def test_counting_equals_the_session_counter():
    found = acts(built_in(), AGENT, np.array([2, 9, 30]), np.random.default_rng(1))
    assert (found >= 0).sum(axis=1).tolist() == [2, 9, 30]
    for row, counts in zip(found, count(found), strict=True):
        assert np.array_equal(counts, transition_counts(NAMES[act] for act in row if act >= 0))
