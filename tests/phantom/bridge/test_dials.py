# SPDX-License-Identifier: Apache-2.0
"""The dials: how much f(tau) takes off an ad's value, and from where on a reply costs nothing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bls.brain.params import MpcParams, read_params
from bls.errors import SkynetError
from bls.phantom.bridge import DIALS, Dials, Ruling, known

F = some.floats(0, 1)
DIAL = some.builds(
    Dials,
    free=some.floats(0, 0.99),
    strength=some.floats(0, 1),
    loss=some.floats(0, 1),
    invalid_at=some.floats(0.5, 2),
)


@pytest.mark.spec("PH-02")
@given(DIAL, F, F)
def test_a_discount_is_a_share_and_falls_in_f(dials: Dials, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0 <= dials.discount(high) <= dials.discount(low) <= 1
    assert dials.discount(dials.free) == 1.0
    assert dials.discount(high) <= dials.losses(dials.discount(high)) <= 1
    assert dials.discount(1.0) == pytest.approx(1 - dials.strength, abs=1e-12)


@pytest.mark.spec("PH-14")
@pytest.mark.parametrize("score", [None, math.nan, math.inf, -0.1, 1.1])
def test_no_score_and_a_broken_one_have_no_effect(score: float | None) -> None:
    assert known(score) is None
    assert DIALS.discount(score) == 1.0 and not DIALS.invalid(score)


@pytest.mark.parametrize(
    "odd",
    [
        {"free": 1.0},
        {"free": -0.1},
        {"free": math.nan},
        {"strength": 1.1},
        {"loss": -1.0},
        {"invalid_at": -0.1},
        {"invalid_at": math.nan},
    ],
)
def test_dials_out_of_range_are_refused(odd: dict[str, float]) -> None:
    with pytest.raises(SkynetError) as refused:
        Dials(**odd)
    assert refused.value.code == "bad_dial" and refused.value.param == next(iter(odd))


def test_as_shipped() -> None:
    told = [round(DIALS.discount(f), 6) for f in (0.0, 0.2, 0.6, 1.0)]
    assert told == [1.0, 1.0, 0.5, 0.0]
    assert [DIALS.invalid(f) for f in (0.94, 0.95, 1.0)] == [False, True, True]


@pytest.mark.spec("PH-13")
def test_they_are_live_parameters() -> None:
    params = read_params(
        {"agent_free": 0.5, "agent_strength": 0.25, "agent_loss": 1, "invalid_at": 2}
    )
    assert params.dials == Dials(0.5, 0.25, 1.0, 2.0)
    assert MpcParams().dials == DIALS
    assert not params.dials.invalid(1.0)  # switched off
    for wrong in ({"agent_free": 1.0}, {"agent_strength": 1.1}, {"invalid_at": 0.2}):
        with pytest.raises(SkynetError):
            read_params(wrong)


@pytest.mark.spec("PH-02")
@given(some.none() | F, DIAL, some.lists(some.integers(0, 10**12), max_size=8))
def test_a_ruling_refunds_everything_or_nothing(
    score: float | None, dials: Dials, charges: list[int]
) -> None:
    ruling = Ruling.of(score, dials, len(charges), ())
    refunds = ruling.refunds(charges)
    assert refunds == (charges if dials.invalid(score) else [0] * len(charges))
    assert all(isinstance(refund, int) for refund in refunds)
    assert ruling.valid == (ruling.rule == "") == (not dials.invalid(score))
    assert ruling.fixed == tuple(range(1, len(charges) + 1))
