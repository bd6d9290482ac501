# SPDX-License-Identifier: Apache-2.0
"""Features kept event by event are those of the whole session."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bls.contracts import SessionStat
from bls.limits import LIMITS
from bls.phantom.actions import ACTIONS, NAMES, Category, canonical
from bls.phantom.features import SessionFeatures
from bls.phantom.kernels import transition_counts
from bls.phantom.session import Quote, Session, SessionEvent
from tests.phantom.score.drawn import ORDER, session

ITEMS = ["", "a", "b", "c", "elsewhere"]
PLACES = {"a": 0, "b": 1, "c": 2}
EVENTS = st.builds(
    SessionEvent,
    st.sampled_from([*NAMES, "hover_something", "x"]),
    st.sampled_from(ITEMS),
    st.integers(0, 60_000),
    st.integers(0, 5_000),
)
QUOTES = st.builds(Quote, st.sampled_from(ITEMS[1:]), st.integers(1, 5), st.integers(0, 60_000))


def oracle(session: Session) -> dict[SessionStat, float]:
    """The same from the whole list, said plainly."""
    events = session.events
    acts = [canonical(event.action) for event in events]
    kinds = Counter(ACTIONS[act] for act in acts)
    times = np.maximum.accumulate([event.ts_ms for event in events])
    gaps = np.log1p(np.maximum(np.diff([event.ts_ms for event in events]), 0))
    dwells = [
        np.log1p(event.dwell_ms)
        for event, act in zip(events, acts, strict=True)
        if ACTIONS[act] is Category.DWELL
    ]
    on = [event.item for event in events if event.item]
    back = sum(on[at] in on[:at] and on[at] != on[at - 1] for at in range(1, len(on)))
    viewed = [
        event for event, act in zip(events, acts, strict=True) if act == "view_item" and event.item
    ]
    moves = [
        (one.item, two.item, two.ts_ms) for one, two in pairwise(viewed) if one.item != two.item
    ]
    share = np.array(list(Counter(acts).values())) / len(acts)
    quoted = {quote.item for quote in session.quotes} & PLACES.keys()
    return {
        SessionStat.EVENTS: len(events),
        SessionStat.ITEMS: len(set(on)),
        SessionStat.REVISITS: back / len(events),
        SessionStat.GAP_MEAN: gaps.mean() if len(gaps) else 0,
        SessionStat.GAP_SPREAD: gaps.std() if len(gaps) else 0,
        SessionStat.DWELL_MEAN: np.mean(dwells) if dwells else 0,
        SessionStat.DWELL_SPREAD: np.std(dwells) if dwells else 0,
        SessionStat.DWELLS: kinds[Category.DWELL] / len(events),
        SessionStat.SPAN: np.log1p((times[-1] - times[0]) / 1000),
        SessionStat.QUOTES: np.log1p(len(session.quotes)),
        SessionStat.QUOTED: len(quoted) / len(PLACES),
        SessionStat.SEQUENTIAL: sum(PLACES.get(b, -9) == PLACES.get(a, -5) + 1 for a, b, _ in moves)
        / max(len(moves), 1),
        SessionStat.CART: kinds[Category.CART] / len(events),
        SessionStat.FILTERS: kinds[Category.FILTER] / len(events),
        SessionStat.ENTROPY: float(-(share * np.log(share)).sum()),
    }


@pytest.mark.spec("PH-08")
@settings(max_examples=30, deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=40), st.lists(QUOTES, max_size=20))
def test_event_by_event_is_the_whole_session(
    events: list[SessionEvent], quotes: list[Quote]
) -> None:
    ordered = tuple(sorted(events, key=lambda event: event.ts_ms))
    told = tuple(sorted(quotes, key=lambda quote: quote.ts_ms))
    one = Session("s", "hotel", 0, ordered, told)
    features = SessionFeatures.of(one, PLACES)
    counts = transition_counts(event.action for event in ordered)
    np.testing.assert_array_equal(features.transitions(), counts)
    stats = features.stats()
    assert np.isfinite(stats).all()
    for which, value in oracle(one).items():
        assert stats[which] == pytest.approx(value, rel=1e-5, abs=1e-5), which.name


@pytest.mark.spec("PH-08")
def test_ascending_goes_by_the_prices_shown_last() -> None:
    features = SessionFeatures(PLACES)
    for item, price in (("a", 10), ("b", 20), ("a", 30)):
        features.quoted(Quote(item, price, 0))
    for item in ("a", "b", "c", "a"):  # down in price, then to and from one that has none
        features.push(SessionEvent("view_item", item, 0))
    assert features.stats()[SessionStat.ASCENDING] == 0
    features.push(SessionEvent("view_item", "b", 0))
    features.quoted(Quote("a", 5, 0))
    features.quoted(Quote("b", 6, 0))
    features.push(SessionEvent("view_item", "a", 0))
    features.push(SessionEvent("view_item", "b", 0))
    assert features.stats()[SessionStat.ASCENDING] == pytest.approx(1 / 4)


@pytest.mark.spec("PH-08")
def test_nothing_yet_is_all_zero_and_a_clock_that_goes_back_stands_still() -> None:
    features = SessionFeatures()
    assert not features.stats().any() and not features.transitions().any()
    for ts_ms in (5_000, 1_000, 6_000):
        features.push(SessionEvent("page_view", "", ts_ms, -5))
    stats = features.stats()
    assert stats[SessionStat.SPAN] == pytest.approx(np.log1p(1.0))
    assert stats[SessionStat.GAP_MEAN] == pytest.approx(np.log1p(1000) / 2)
    assert stats[SessionStat.QUOTED] == stats[SessionStat.SEQUENTIAL] == 0


@pytest.mark.spec("PH-13")
def test_a_flood_of_quotes_is_not_remembered() -> None:
    features = SessionFeatures()
    for at in range(LIMITS.session_events + 50):
        features.quoted(Quote(f"i{at}", 1, 0))
    assert len(features._prices) == LIMITS.session_events
    assert features.stats()[SessionStat.QUOTES] == pytest.approx(
        np.log1p(LIMITS.session_events + 50)
    )


def test_the_tensor_is_a_copy() -> None:
    features = SessionFeatures.of(session("crawler", 1), ORDER)
    features.transitions()[:] = 9
    assert features.transitions().max() < 9
