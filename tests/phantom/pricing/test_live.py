# SPDX-License-Identifier: Apache-2.0
"""What the live sessions tell the provider: the score and its age, the condition, the market."""

from __future__ import annotations

import pytest

pytest.importorskip("bls.phantom.book")

from bls.phantom.book import SessionBook, ToldEvent
from bls.phantom.pricing.live import REFRESH_S, LiveSessions
from bls.phantom.pricing.state import Sight
from bls.phantom.session import Mode, SessionEvent
from bls.phantom.shop import catalogue

pytestmark = pytest.mark.spec("PH-13")
A, B = list(catalogue("hotel").items)[:2]


class Rig:
    def __init__(self) -> None:
        self.now = 1_000.0
        self.book = SessionBook(clock=lambda: self.now)
        self.live = LiveSessions(self.book, self.condition, clock=lambda: self.now)
        self.told = 0

    def condition(self, session_id: str, mode: Mode) -> str:
        return f"of {session_id}"

    def act(self, sid: str, action: str, item: str = "", mode: Mode = "hotel") -> None:
        self.told += 1
        event = SessionEvent(action, item, int(self.now * 1000))
        self.book.apply(sid, mode, [ToldEvent(f"e{self.told}", event)])


def test_a_session_that_has_only_seen_prices_comes_under_its_condition() -> None:
    rig = Rig()
    session = rig.book.open("s", "hotel")
    assert rig.live.sight("s", "hotel").condition == "of s"
    session.push(SessionEvent("page_view", "", 0, 0))
    assert rig.live.sight("s", "hotel").condition == "", "it began when there was none"


def test_a_session_that_is_not_there_yet_comes_under_its_condition() -> None:
    assert Rig().live.sight("s", "hotel") == Sight(condition="of s")


def test_the_score_and_how_far_it_is_behind() -> None:
    rig = Rig()
    rig.act("s", "page_view")
    rig.now += 4
    rig.act("s", "view_item", A)
    seen = rig.live.sight("s", "hotel")
    assert (seen.agent, seen.events, seen.behind_s) == (None, 2, 4.0)
    session = rig.book.get("s")
    assert session is not None
    session.condition, session.score, session.unscored_since = "static", 0.9, 0.0
    rig.now += 60
    assert rig.live.sight("s", "hotel") == Sight(0.9, 2, 0.0, "static"), "nothing was done since"
    rig.act("s", "view_item", B)
    rig.now += 1
    assert rig.live.sight("s", "hotel").behind_s == 1.0


def test_the_demand_of_the_market_is_of_all_its_sessions() -> None:
    rig = Rig()
    assert rig.live.demand("hotel") == {}
    rig.act("s", "add_item", A)  # 4
    rig.act("t", "view_item", B)  # 1
    rig.act("t", "page_view")
    rig.act("u", "view_item", next(iter(catalogue("airline").items)), "airline")
    assert rig.live.demand("hotel") == {}, "it is looked at every few seconds"
    rig.now += REFRESH_S
    assert rig.live.demand("hotel") == pytest.approx({A: 80.0, B: 20.0})
    assert sum(rig.live.demand("airline").values()) == pytest.approx(100.0)
    rig.now -= 3_600  # a clock that was set back
    assert rig.live.demand("hotel") is not None
