# SPDX-License-Identifier: Apache-2.0
"""What comes out of a search: the best affordable creative of each advertiser, nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bls.ads.records import Checked, Funds, Status
from bls.errors import SkynetError
from bls.select.conf import SelectorConf, read_conf
from tests.select.world import AXES, NOW, Ads, Exact, World, around, campaign, unit

CTX = unit(np.random.default_rng(3), 1)[0]
NAMES = ["a", "b", "c", "d"]


def small(*, sims: tuple[float, ...] = (0.9, 0.8, 0.7, 0.6)) -> World:
    """Campaigns a to d of four advertisers, of the same value, less and less similar."""
    return World(Ads(*map(campaign, NAMES)), Exact(around(CTX, sims), NAMES))


def test_by_score_one_an_advertiser_ranks_in_order() -> None:
    ads = Ads(
        campaign("a", "one"), campaign("b", "one"), campaign("c", "two", cpc_micros=1_000_000)
    )
    world = World(ads, Exact(around(CTX, [0.9, 0.8, 0.4]), ["a", "b", "c"]))
    world.play(0.9)
    answer = world.ask(CTX)
    assert [(one.msg_id, one.rank) for one in answer.chosen] == [("m0", 0), ("m2", 1)]
    first = answer.chosen[0]
    assert first.score == pytest.approx(0.9 * first.sim + 0.1 * first.val, abs=1e-6)
    assert (first.campaign_id, first.advertiser, first.brand, first.text) == (
        "a",
        "one",
        "A",
        "Ad 0",
    )
    assert (first.bid, first.rate_micros, first.version) == (0.5, 101_000, 1)
    assert (answer.axes, answer.index, answer.lambda_sem) == (AXES, "exact_7", 0.9)
    assert (answer.considered, answer.gated) == (3, 0)
    world.play(0.1)
    assert world.names(CTX) == ["m2", "m0"], "value counts more now"
    assert world.names(CTX, k=1) == ["m2"]


def test_nothing_under_the_floor_whatever_it_pays() -> None:
    world = small(sims=(0.9, 0.3, 0.2, 0.1))
    world.ads.put(campaign("d", cpm_micros=9_000_000_000))
    world.boards.refresh()
    world.play(0.1)
    assert world.names(CTX)[0] == "m3"
    world.conf = SelectorConf(epsilon=0.0, sim_min=0.25)
    answer = world.ask(CTX)
    assert [one.msg_id for one in answer.chosen] == ["m0", "m1"] and answer.gated == 2
    assert world.stats.gated.of(gate="similarity") == 2
    assert world.names(-CTX) == [] and world.stats.empty == 1


@pytest.mark.spec("MRO-U-07")
@pytest.mark.parametrize("funds", [Funds(0, None), Funds(-5, None), Funds(10**6, int(NOW) - 1)])
def test_no_money_no_ad(funds: Funds) -> None:
    """Also between two looks: what is left is asked again for what the search brought."""
    world = small()
    world.ads.money["of_a"] = funds
    assert world.names(CTX) == ["m1", "m2", "m3"]
    assert world.stats.budget_hits == 1
    world.boards.refresh()
    assert world.log.of("budget.gate.trace") == [{"advertiser": "of_a", "empty": True}]
    assert world.names(CTX) == ["m1", "m2", "m3"]
    assert world.stats.budget_hits == 1, "not even searched"
    world.ads.money["of_a"] = Funds(1, None)
    world.boards.refresh()
    assert world.names(CTX)[0] == "m0"


def test_an_unreadable_ledger_means_no_ad() -> None:
    world = small()
    world.ads.down = True
    with pytest.raises(SkynetError) as raised:
        world.ask(CTX)
    assert raised.value.code == "ads_unavailable"
    with pytest.raises(SkynetError):
        world.boards.refresh()
    assert world.stats.errors.of(code="ads_unavailable") == 1
    world.ads.down = False
    assert world.names(CTX)[0] == "m0"


def test_an_advertiser_the_ledger_does_not_know_cannot_pay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = small()
    monkeypatch.setattr(world.selector, "_funds", lambda names, now: {})
    assert world.names(CTX) == []


@pytest.mark.parametrize(
    "change",
    [
        {"status": Status.PAUSED},
        {"start_ts": int(NOW) + 10},
        {"end_ts": int(NOW)},
    ],
)
def test_a_campaign_that_is_not_live(change: dict[str, object]) -> None:
    world = small()
    world.ads.put(replace(world.ads.records["a"], **change))
    world.boards.refresh()
    assert world.names(CTX) == ["m1", "m2", "m3"]


def test_a_campaign_that_ends_between_two_looks() -> None:
    world = small()
    world.ads.put(campaign("a", end_ts=int(NOW) + 1))
    world.boards.refresh()
    assert world.names(CTX)[0] == "m0"
    world.now += 2
    assert world.names(CTX)[0] == "m1" and world.stats.gated.of(gate="campaign") == 1


def test_categories_that_may_not_appear() -> None:
    world = small()
    world.ads.put(campaign("a", category="alcohol"))
    world.boards.refresh()
    assert world.names(CTX, excluded=("alcohol", "gambling")) == ["m1", "m2", "m3"]
    assert world.names(CTX, excluded=("gambling",))[0] == "m0"
    before = world.indexes.held[AXES].searches
    assert world.names(CTX, excluded=("*",)) == []
    assert world.indexes.held[AXES].searches == before


def test_frequency_caps_count_replies_of_a_conversation() -> None:
    world = small()
    world.ads.put(campaign("a", frequency_cap=2))
    world.boards.refresh()
    firsts = [world.show(CTX, ctx_id=f"n{n}")[0] for n in range(3)]
    assert firsts == ["m0", "m0", "m1"]
    assert world.names(CTX, ctx_id="other", conv_id="another")[0] == "m0"
    assert world.stats.gated.of(gate="frequency") == 1
    for _ in range(5):
        assert world.names(CTX, conv_id="dry")[0] == "m0", "never shown"
    for _ in range(5):
        assert world.show(CTX, conv_id="again", request_id="same")[0] == "m0", "a retry"


@pytest.mark.parametrize("verdict", [Checked.BLOCKED, Checked.WAITING])
def test_a_creative_that_was_not_passed_is_never_shown(verdict: Checked) -> None:
    world = small()
    world.indexes.held[AXES].verdict[0] = verdict
    assert world.names(CTX) == ["m1", "m2", "m3"]
    assert world.stats.gated.of(gate="creative") == 1


def test_a_deleted_creative_is_gone_at_once() -> None:
    world = small()
    world.indexes.held[AXES].alive[0] = False
    assert world.names(CTX) == ["m1", "m2", "m3"]


def test_rows_added_since_the_last_look_wait_for_the_next() -> None:
    world = small()
    index = world.indexes.held[AXES]
    index.vectors = np.concatenate([around(CTX, [0.99]), index.vectors])[[1, 2, 3, 4, 0]]
    index.campaign = np.append(index.campaign, index.campaign[:1])
    index.alive, index.revision = np.ones(5, bool), 1
    assert world.names(CTX)[0] == "m0"
    world.boards.refresh()
    assert world.names(CTX)[0] == "m4"


def test_axes_without_an_index_name_those_that_have_one() -> None:
    world = World(Ads(campaign("a")), Exact(CTX[None], ["a"]), axes=(99, AXES))
    with pytest.raises(SkynetError) as raised:
        world.ask(CTX, axes=99)
    error = SkynetError.from_wire(raised.value.to_wire())
    assert (error.code, error.status, error.param) == ("axes_mismatch", 409, str(AXES))
    assert world.names(CTX, axes=int(error.param)) == ["m0"]
    world.indexes.held.clear()
    with pytest.raises(SkynetError) as raised:
        world.ask(CTX)
    assert (raised.value.code, raised.value.status) == ("index_missing", 503)


@pytest.mark.parametrize(
    "ctx", [CTX[:5], np.full(128, np.nan, np.float32), 2 * CTX, np.zeros(128, np.float32)]
)
def test_a_context_that_is_none(ctx: np.ndarray) -> None:
    with pytest.raises(SkynetError) as raised:
        small().ask(ctx)
    assert (raised.value.code, raised.value.status) == ("bad_ctx", 400)


@pytest.mark.spec("MRO-U-02")
def test_the_norm_of_a_context_is_shown() -> None:
    world = small()
    world.ask(CTX)
    assert world.stats.selfsim <= 1e-6


def test_a_new_generation_counts_from_the_next_request() -> None:
    world = small()
    assert world.names(CTX)[0] == "m0"
    world.indexes.held[AXES] = Exact(around(CTX, [0.1, 0.2, 0.3, 0.4]), NAMES)
    assert world.names(CTX)[0] == "m3"


def test_boards_of_axes_that_nobody_holds_are_forgotten() -> None:
    world = small()
    world.boards._axes = lambda: ()
    world.boards.refresh()
    assert not world.boards._boards


def test_conf_is_checked() -> None:
    assert read_conf({"epsilon": 0.1}).epsilon == 0.1
    for value in ({"epsilon": 2}, {"unknown": 1}, {"sim_min": "0.1"}):
        with pytest.raises(SkynetError):
            read_conf(value)
