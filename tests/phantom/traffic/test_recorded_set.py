# SPDX-License-Identifier: Apache-2.0
"""The recorded set: real browser runs that other tests may lean on."""

from collections import Counter
from pathlib import Path

import pytest

from bls.phantom.recorded import read_sessions
from bls.phantom.session import Session
from bls.phantom.shop import catalogue
from pipelines_dagster.phantom.traffic.drivers import drivers

FILE = Path(__file__).resolve().parents[1] / "recorded.jsonl.gz"


@pytest.fixture(scope="module")
def recorded() -> list[Session]:
    return [*read_sessions(FILE)]


@pytest.mark.spec("PH-01", "PH-07")
def test_every_driver_several_times(recorded: list[Session]) -> None:
    by = Counter(one.origin for one in recorded)
    actors = {name: one.actor for name, one in drivers().items()} | {"llm": "agent"}
    assert by.keys() == actors.keys()
    assert min(by.values()) >= 5
    assert all(one.label == "synthetic" for one in recorded)
    assert all(one.actor == actors[one.origin] for one in recorded)
    assert len({one.sid for one in recorded}) == len(recorded)
    assert FILE.stat().st_size < 300_000


@pytest.mark.spec("PH-07")
def test_events_and_quotes_go_together(recorded: list[Session]) -> None:
    """What was acted on was shown before, at a price of the catalogue's."""
    for session in recorded:
        shop = catalogue(session.mode)
        for quote in session.quotes:
            item = shop.item(quote.item)
            assert item.floor_micros <= quote.price_micros <= item.ceiling_micros
        quoted = {one.item for one in session.quotes}
        assert {one.item for one in session.events if one.item} <= quoted
        assert session.events[0].ts_ms >= session.start_ms


@pytest.mark.spec("PH-07")
def test_prices_are_live(recorded: list[Session]) -> None:
    """Most are not the base price, some below it and some above; a session in ten may have
    met base prices alone, where the model was late on every page."""
    shop = catalogue("hotel")
    base = {name: item.base_micros for name, item in shop.items.items()}
    moved = [[one.price_micros - base[one.item] for one in session.quotes] for session in recorded]
    every = [change for session in moved for change in session]
    assert sum(map(bool, every)) > 0.5 * len(every)
    assert min(every) < 0 < max(every)
    assert sum(any(session) for session in moved) > 0.9 * len(recorded)


def test_most_of_what_can_be_done_was(recorded: list[Session]) -> None:
    acts = Counter(event.action for one in recorded for event in one.events)
    assert len(acts) >= 11
    assert acts["view_item"] > 100
