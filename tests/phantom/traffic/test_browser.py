# SPDX-License-Identifier: Apache-2.0
"""Drivers in a real Chromium, on a tiny shop that keeps the page contract."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Literal

import pytest

pytest.importorskip("playwright")

from bls.errors import SkynetError
from bls.phantom.session import Session
from bls.phantom.shop import Catalogue
from pipelines_dagster.phantom.traffic import browser_ground
from pipelines_dagster.phantom.traffic.browser_ground import BrowserGround
from pipelines_dagster.phantom.traffic.driver import Enter, Visit
from pipelines_dagster.phantom.traffic.drivers import drivers
from pipelines_dagster.phantom.traffic.view import ALL, Act, Query, View
from pipelines_dagster.phantom.traffic.wares import made_up
from tests.phantom.traffic.tiny_shop import tiny_shop

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    reason="there is no Chromium here",
)

SHOP = made_up("hotel")
FIRST = next(iter(SHOP.items))
SPEED = 100.0


class Scripted:
    """Does what it is told to and remembers the pages."""

    name = "scripted"
    actor: Literal["agent", "human"] = "agent"

    def __init__(self, *acts: Act, touch: bool = False) -> None:
        self.touch, self._acts = touch, acts
        self.seen: list[View] = []

    def trip(self, shop: Catalogue, rng: Random) -> Iterator[Enter]:
        yield self._visit

    def _visit(self, outside: View) -> Visit:
        for act in self._acts:
            self.seen.append((yield act))


Run = Callable[[Scripted], Session]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tiny_shop(SHOP) as (url, _):
        yield url


@pytest.fixture(scope="module")
def ground(url: str) -> Iterator[BrowserGround]:
    with BrowserGround(SHOP, url, speed=SPEED) as ground:
        yield ground


@pytest.fixture(scope="module")
def run(ground: BrowserGround) -> Run:
    return lambda driver: next(ground.sessions(driver, "s"))


@pytest.mark.spec("PH-07")
def test_a_whole_visit(run: Run) -> None:
    facets = (("city", "Brine"),)
    driver = Scripted(
        Act("page_view"),
        Act("page_view", think_ms=200, query=Query(page=2)),
        Act("page_view", query=ALL),
        Act("search", query=Query(words="hotel")),
        Act("filter_date", query=Query(words="hotel", date="2027-03-04")),
        Act("sort", query=Query(words="hotel", date="2027-03-04", order="price")),
        Act("filter_price", query=Query(max_price_micros=90_000_000)),
        Act("page_view", query=ALL),
        Act("filter_price", query=Query(facets=facets)),
        Act("filter_price", query=Query(facets=facets, max_price_micros=900_000_000)),
    )
    session = run(driver)
    asked_at_once = ["search", "filter_date", "filter_price", "sort"]  # a new price, all else gone
    assert [one.action for one in session.events] == [
        "page_view", "page_view", "page_view", "search", "filter_date", "sort", *asked_at_once,
        "page_view", "filter_price", "filter_price",
    ]  # fmt: skip
    assert [view.place for view in driver.seen] == ["list"] * 10
    assert driver.seen[0].more
    assert driver.seen[0].items[0].item == FIRST
    ordered = [one.price_micros for one in driver.seen[5].items]
    assert ordered == sorted(ordered)
    assert {one.facets["city"] for one in driver.seen[8].items} == {"Brine"}
    assert len(session.quotes) == sum(len(view.items) for view in driver.seen)
    assert (session.label, session.origin, session.actor) == ("synthetic", "scripted", "agent")


def test_from_a_card_to_thanks(run: Run) -> None:
    driver = Scripted(
        Act("page_view"),
        Act("hover_paragraph", FIRST, dwell_ms=int(400 * SPEED)),
        Act("view_item", FIRST, aim_ms=int(400 * SPEED)),
        Act("hover_link", FIRST, dwell_ms=int(400 * SPEED)),
        Act("learn_more", FIRST),
        Act("add_item", FIRST),
        Act("remove", FIRST),
        Act("page_view"),
        Act("add_item", FIRST),
        Act("page_view", place="cart"),
        Act("checkout"),
        Act("purchase"),
    )
    session = run(driver)
    places = [view.place for view in driver.seen]
    assert places[-3:] == ["cart", "checkout", "done"]
    asked = [one.action for one in session.events if not one.action.startswith("hover")]
    assert asked == [
        "page_view", "view_item", "learn_more", "add_item", "page_view", "remove", "page_view",
        "page_view", "add_item", "page_view", "page_view", "checkout", "purchase", "page_view",
    ]  # fmt: skip
    hovers = {one.action: one for one in session.events if one.action.startswith("hover")}
    assert hovers["hover_paragraph"].item == hovers["hover_title"].item == FIRST
    assert hovers["hover_paragraph"].dwell_ms >= 300 * SPEED
    assert driver.seen[-3].cart == (FIRST,)
    assert [one.ts_ms for one in session.events] == sorted(one.ts_ms for one in session.events)


def test_a_link_from_elsewhere_on_a_phone(run: Run) -> None:
    driver = Scripted(
        Act("view_item", FIRST), Act("page_view"), Act("view_item", FIRST), touch=True
    )
    session = run(driver)
    assert [one.action for one in session.events][:2] == ["view_item", "page_view"]
    assert driver.seen[-1].items[0].item == FIRST


@pytest.mark.parametrize(
    "act",
    [Act("checkout"), Act("remove", FIRST), Act("hover_link", FIRST), Act("learn_more", FIRST)],
)
def test_impossible_acts(run: Run, act: Act) -> None:
    with pytest.raises(SkynetError) as caught:
        run(Scripted(Act("page_view"), act))
    assert caught.value.code == "impossible_act"


@pytest.mark.parametrize("name", ["goal_planner", "mobile"])
def test_real_drivers(ground: BrowserGround, name: str) -> None:
    trip = ground.sessions(drivers()[name], "3")
    session = next(trip)
    assert not ground._browser.contexts, "open until somebody asks for the next session"
    assert session.events
    assert session.origin == name


def test_a_shop_that_is_away(ground: BrowserGround) -> None:
    ground._url = "http://127.0.0.1:9"  # of this test only: a browser is a second to start
    with pytest.raises(SkynetError) as caught:
        next(ground.sessions(Scripted(Act("page_view")), "s"))
    assert caught.value.code == "shop_away"


def test_no_chromium(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_ground, "_NAMES", ("no-such-browser",))
    with pytest.raises(SkynetError) as caught, BrowserGround(SHOP, "http://127.0.0.1:9"):
        pass
    assert caught.value.code == "no_browser"


def test_a_chromium_that_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of it is left: a thread has one Playwright at most, and a second try is met."""
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(browser_ground, "_NAMES", (str(broken),))

    def enter() -> str:
        with pytest.raises(SkynetError) as caught, BrowserGround(SHOP, "http://127.0.0.1:9"):
            pass
        return caught.value.code

    with ThreadPoolExecutor(1) as thread:
        assert [thread.submit(enter).result(60) for _ in range(2)] == ["no_browser"] * 2
