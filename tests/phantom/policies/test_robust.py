# SPDX-License-Identifier: Apache-2.0
"""The Wasserstein dual against the linear program it solves, and the grid of shares."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from bls.errors import SkynetError
from pipelines_dagster.phantom.robust.grid import points
from pipelines_dagster.phantom.robust.w1 import Sale, worst_case, worst_demand

F64 = NDArray[np.float64]


def program(values: F64, price: float, radius: float, sale: Sale, low: float) -> float:
    """The primal: a transport plan from the samples to every valuation worth moving to, and more.

    `unit` at the price itself earns nothing: the infimum, a hair below it.
    """
    extra = np.linspace(low, values.max() + 2, 9)
    ends = np.unique(np.concatenate([values, extra, [max(price, low)]]))
    worth = price * (np.maximum(0, ends - price) if sale == "excess" else ends > price)
    count, places = len(values), len(ends)
    moved = np.abs(values[:, None] - ends[None]).ravel()
    rows = np.kron(np.eye(count), np.ones(places))
    found = linprog(
        np.tile(worth, count),
        A_ub=moved[None],
        b_ub=[radius],
        A_eq=rows,
        b_eq=np.full(count, 1 / count),
        method="highs",
    )
    return float(found.fun)


@pytest.mark.spec("PH-15")
@pytest.mark.parametrize("sale", ["excess", "unit"])
def test_the_dual_is_the_linear_program(sale: Sale) -> None:
    draw = np.random.default_rng(3)
    for _ in range(60):
        low = float(draw.choice([0.0, 0.0, 6.0]))
        values = low + draw.gamma(2.0, 4.0, draw.integers(1, 9))
        price = float(draw.uniform(0, 14))
        radius = float(draw.choice([0.01, 0.5, 2.0, 9.0]))
        found = worst_case(values, price, radius, sale, low)
        assert found == pytest.approx(program(values, price, radius, sale, low), abs=1e-7)


@pytest.mark.spec("PH-15")
def test_ties_at_the_price_are_lost_only_when_something_moves() -> None:
    values = np.array([5.0, 5.0, 8.0])
    assert worst_case(values, 5.0, 0.0, "unit") == pytest.approx(5.0)
    assert worst_case(values, 5.0, 0.1, "unit") == pytest.approx(
        program(values, 5.0, 0.1, "unit", 0.0)
    )


@pytest.mark.spec("PH-15")
@pytest.mark.parametrize("sale", ["excess", "unit"])
def test_no_law_in_the_ball_earns_less(sale: Sale) -> None:
    draw = np.random.default_rng(0)
    values, price, radius = draw.gamma(3.0, 3.0, 50), 7.0, 0.6
    worst = float(worst_case(values, price, radius, sale))
    for _ in range(200):
        step = draw.normal(0, 1, 50)
        moved = np.maximum(0, values + step * radius * 50 / np.abs(step).sum())
        earned = (
            price * np.maximum(0, moved - price) if sale == "excess" else price * (moved > price)
        )
        assert earned.mean() >= worst - 1e-9


def test_many_prices_at_once_are_the_prices_one_by_one() -> None:
    draw = np.random.default_rng(1)
    values, price = draw.gamma(2.0, 5.0, (3, 4, 30)), draw.uniform(1, 20, (3, 4))
    sales: tuple[Sale, ...] = ("excess", "unit")
    for sale in sales:
        both = worst_case(values, price, 0.7, sale)
        one = [worst_case(values[i, j], price[i, j], 0.7, sale) for i, j in np.ndindex(3, 4)]
        assert both.ravel() == pytest.approx(np.array(one))


@pytest.mark.spec("PH-15")
def test_a_ball_of_demands() -> None:
    demand = np.array([[0.0, 1.0, 5.0], [0.0, 0.1, 0.2]])
    assert worst_demand(demand, 10.0, 0.5) == pytest.approx([15.0, 0.0])
    assert worst_demand(demand, 10.0, 0.0) == pytest.approx([20.0, 1.0])


@pytest.mark.parametrize(
    ("values", "price", "radius"),
    [([], 1.0, 1.0), ([-1.0], 1.0, 1.0), ([1.0], -1.0, 1.0), ([1.0], 1.0, -1.0)],
)
def test_a_ball_that_is_none_is_refused(values: list[float], price: float, radius: float) -> None:
    with pytest.raises(SkynetError) as refused:
        worst_case(values, price, radius)
    assert refused.value.code == "bad_ball"


@pytest.mark.spec("PH-15")
def test_the_grid_holds_the_believed_share_and_stays_a_share() -> None:
    assert points(0.3, 0.15, 5) == pytest.approx([0.15, 0.225, 0.3, 0.375, 0.45])
    many = points(np.array([0.0, 0.07, 0.5, 1.0]), 0.15, 5)
    assert many.shape == (4, 5)
    assert many.min() == 0 and many.max() == 1 and np.all(np.diff(many, axis=-1) >= 0)
    for share, grid in zip((0.0, 0.07, 0.5, 1.0), many, strict=True):
        assert share in grid
    assert points(0.4, 0.1, 1) == pytest.approx([0.4])


@pytest.mark.parametrize(("share", "radius", "count"), [(1.2, 0.1, 5), (0.5, -1, 5), (0.5, 0, 0)])
def test_a_grid_that_is_none_is_refused(share: float, radius: float, count: int) -> None:
    with pytest.raises(SkynetError) as refused:
        points(share, radius, count)
    assert refused.value.code == "bad_grid"
