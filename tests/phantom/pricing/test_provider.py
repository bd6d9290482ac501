# SPDX-License-Identifier: Apache-2.0
"""What a session is asked: the policy's price within bounds, else the base price, for a while."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bls.contracts import PriceState
from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.phantom.pricing.held import Given
from bls.phantom.pricing.provider import BASE, POLICY, STATIC, Provider, Said
from bls.phantom.pricing.state import F32, NOBODY, PRIOR, Sight
from bls.phantom.session import Mode
from tests.phantom.pricing.stub import shop

pytestmark = pytest.mark.spec("PH-13")
NAMES = ["a", "b", "c"]
VERSION = "00ff00ff00ff00ff"


class Script:
    """A policy that says what a test wants it to."""

    def __init__(self, *by: float) -> None:
        self.by: Sequence[float] = by or (1.1,)
        self.fault: SkynetError | None = None
        self.takes_s = 0.0
        self.asked: list[F32] = []

    async def __call__(self, states: F32, session_id: str) -> Said:
        self.asked.append(states)
        if self.takes_s:
            await asyncio.sleep(self.takes_s)
        if self.fault is not None:
            raise self.fault
        return Said([self.by[row % len(self.by)] for row in range(len(states))], VERSION)


class Known:
    """Sessions as a test says they are."""

    def __init__(self) -> None:
        self.sights: dict[str, Sight] = {}
        self.market: dict[str, float] = {}

    def sight(self, session_id: str, mode: Mode) -> Sight:
        return self.sights.get(session_id, NOBODY)

    def demand(self, mode: Mode) -> Mapping[str, float]:
        return self.market


class Rig:
    def __init__(self, *by: float) -> None:
        self.now = 0.0
        self.policy, self.known = Script(*by), Known()
        limits = dataclasses.replace(LIMITS, prices_held=6)
        self.provider = Provider(
            self.policy, self.known, catalogues=shop, limits=limits, clock=lambda: self.now
        )

    def ask(self, session: str = "s", names: Sequence[str] = NAMES) -> list[Given]:
        return asyncio.run(self.provider.quotes(session, "hotel", names))

    def prices(self, session: str = "s", names: Sequence[str] = NAMES) -> list[int]:
        return [given.price_micros // 10_000 for given in self.ask(session, names)]

    def policies(self, session: str = "s") -> set[str]:
        return {given.policy for given in self.ask(session)}

    def fallbacks(self, reason: str) -> float:
        return self.provider.stats.fallbacks.of(reason=reason)


BASE_PRICES = [10_000, 5_000, 1_000]


def test_a_page_is_asked_for_once_and_every_price_is_within_its_bounds() -> None:
    rig = Rig(1.2)
    assert rig.prices() == [12_000, 5_500, 1_000], "b stops at its ceiling, c has one price"
    assert len(rig.policy.asked) == 1 and rig.policy.asked[0].shape == (3, 8)
    (first, *_) = rig.ask()
    assert (first.policy, first.version) == (POLICY, VERSION)
    assert rig.provider.stats.quotes.of(policy=POLICY) == 6


@given(by=st.lists(st.floats() | st.floats(width=32), min_size=3, max_size=3))
def test_bounds_hold_whatever_a_policy_says(by: list[float]) -> None:
    rig = Rig(*by)
    for one in rig.ask():
        assert one.item.floor_micros <= one.price_micros <= one.item.ceiling_micros


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0, 0.0, 1e9])
def test_a_multiplier_that_is_none_is_the_base_price_of_that_item(bad: float) -> None:
    rig = Rig(bad, 0.9)
    assert rig.prices() == [10_000, 4_500, 1_000]
    assert [one.policy for one in rig.ask()] == [BASE, POLICY, BASE]
    assert rig.fallbacks("no_multiplier") == 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (SkynetError("unavailable", "", 503), "dead"),
        (SkynetError("deadline_exceeded", "", 504), "slow"),
        (SkynetError("model_missing", "", 503), "refused"),
        (SkynetError("bad_price", "", 500), "refused"),
    ],
)
def test_a_policy_that_fails_is_the_base_price(fault: SkynetError, reason: str) -> None:
    rig = Rig()
    rig.policy.fault = fault
    assert rig.prices() == BASE_PRICES and rig.policies() == {BASE}
    assert rig.fallbacks(reason) == 3
    rig.policy.fault = None
    assert rig.policies("another") == {POLICY}
    assert rig.policies() == {BASE}, "its price is held"
    rig.now += LIMITS.price_hold_s
    assert rig.policies() == {POLICY}


def test_a_policy_that_is_slow_is_not_waited_for() -> None:
    rig = Rig()
    rig.policy.takes_s = 30.0
    assert rig.prices() == BASE_PRICES
    assert rig.fallbacks("slow") == 3


def test_a_score_that_lags_behind_is_the_base_price() -> None:
    rig = Rig()
    rig.known.sights["s"] = Sight(0.2, 5, LIMITS.score_behind_s + 1)
    assert rig.prices() == BASE_PRICES and not rig.policy.asked
    assert rig.fallbacks("stale") == 3
    rig.known.sights["t"] = Sight(0.2, 5, LIMITS.score_behind_s)
    assert rig.policies("t") == {POLICY}


def test_a_model_that_keeps_failing_is_left_alone_for_a_second() -> None:
    rig = Rig()
    rig.policy.fault = SkynetError("unavailable", "", 503)
    for number in range(9):
        rig.ask(f"s{number}")
    assert len(rig.policy.asked) == 5 and rig.fallbacks("resting") == 12
    rig.now += 1.0
    rig.ask("one tries"), rig.ask("one does not")
    assert len(rig.policy.asked) == 6
    rig.policy.fault = None
    rig.now += 1.0
    assert rig.policies("recovered") == rig.policies("and all after it") == {POLICY}


def test_a_price_is_held_for_its_time() -> None:
    rig = Rig(1.1)
    before = rig.prices()
    rig.policy.by = (0.9,)
    rig.known.market = {"a": 100.0}
    rig.now = LIMITS.price_hold_s - 1
    assert rig.prices() == before and rig.provider.stats.held == 3
    assert rig.prices("other") == [9_000, 4_500, 1_000]
    rig.now = LIMITS.price_hold_s
    assert rig.prices() == [9_000, 4_500, 1_000]


def test_only_what_is_not_held_is_asked_for() -> None:
    rig = Rig()
    rig.ask(names=["a"])
    rig.ask(names=["a", "b", "b"])
    assert [len(states) for states in rig.policy.asked] == [1, 1]
    assert len(rig.ask(names=["a", "b", "a"])) == 3


def test_requests_of_a_session_that_cross_see_one_price() -> None:
    rig = Rig()
    rig.policy.takes_s = 0.01

    async def both() -> list[list[Given]]:
        async def later() -> list[Given]:
            await asyncio.sleep(0.005)
            rig.policy.by = (0.9,)
            return await rig.provider.quotes("s", "hotel", ["a"])

        first = rig.provider.quotes("s", "hotel", ["a"])
        return list(await asyncio.gather(first, later()))

    one, other = asyncio.run(both())
    assert one == other


def test_the_ones_asked_for_longest_ago_are_forgotten() -> None:
    rig = Rig(1.1)
    for session in "rst":
        rig.ask(session)
    rig.policy.by = (0.9,)
    assert rig.prices("t")[0] == 11_000
    assert rig.prices("r")[0] == 9_000
    assert len(rig.provider._held) == 6


def test_an_experiment_can_force_the_static_policy() -> None:
    rig = Rig(1.2)
    rig.ask()
    rig.known.sights["s"] = Sight(condition=STATIC)
    assert rig.policies() == {STATIC}, "whatever was held"
    assert rig.prices() == BASE_PRICES and len(rig.policy.asked) == 1
    rig.known.sights["s"] = Sight(condition="treated")
    rig.now += LIMITS.price_hold_s
    assert rig.policies() == {POLICY}


def test_what_a_policy_is_told() -> None:
    rig = Rig(1.2)
    (first,) = rig.ask(names=["a"])
    rig.now += LIMITS.price_hold_s
    rig.known.sights["s"] = Sight(0.75, 9)
    rig.known.market = {"a": 50.0, "c": 50.0}
    rig.ask()
    new, again = rig.policy.asked
    assert new[0, PriceState.AGENT] == pytest.approx(PRIOR)
    assert new[0].tolist()[:5] == pytest.approx([1, 1, 0.8, 1.2, 0.4])
    assert new[0].tolist()[6:] == [0, 0]
    a, b, _ = again
    assert a.tolist() == pytest.approx(
        [1.5, 1.2, 0.8, 1.2, 0.4, 0.75, math.log(10) / 5, math.log(2) / 5]
    )
    assert b[PriceState.DEMAND] == 0 and b[PriceState.PRICE] == 1 and b[PriceState.QUOTES] == 0
    assert first.times == 1 and rig.ask()[0].times == 2


def test_an_item_or_a_mode_that_is_none() -> None:
    rig = Rig()
    with pytest.raises(SkynetError) as unknown:
        rig.ask(names=["a", "nobody"])
    assert unknown.value.code == "unknown_item" and not rig.policy.asked
