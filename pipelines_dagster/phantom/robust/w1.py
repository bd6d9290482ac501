# SPDX-License-Identifier: Apache-2.0
"""The exact worst case of a price over a Wasserstein-1 ball of valuations.

Given n valuations v_i with law P_n, and a price p, what is the least expected revenue under any
law Q on [low, inf) with W1(P_n, Q) <= radius? By strong duality (Mohajerin Esfahani & Kuhn 2018,
Blanchet & Murthy 2019; both need only that the revenue is lower semicontinuous):

    inf_Q E_Q[r(v, p)] = sup_{L >= 0} -L radius + mean_i min_{v >= low} [r(v, p) + L |v - v_i|]

The dual is concave and piecewise linear in L, so its supremum is at a kink. Two revenues:

`excess`, the published engine's demand: r = p max(0, v - p). The inner minimum is at v_i (L >= p),
else at t = max(p, low), the nearest valuation that yields least. So the kinks are 0 and p, and

    worst = max( p mean_i (v_i - p)+ - p radius,  p (low - p)+ ):

demand loses the radius itself, and no more than there is. A sample of demands (max(0, v - p) and
all) is the same case with price 1 and valuations shifted: p max(0, mean demand - radius).

`unit`, one thing bought where it is worth its price: r = p 1[v > p], the lower semicontinuous one;
at v_i = p exactly an arbitrarily small move loses the sale, so with radius > 0 it counts as lost
(at radius 0 nothing moves, and v >= p buys). The inner minimum is min(p, L (v_i - p)): a sale is
lost at the cost of its gap v_i - p. The supremum over L is a fractional knapsack: the budget
n radius buys the smallest gaps first, the last one in part. Nothing is lost where low >= p.

Revenue is money over people: multiply by their number. `radius` is in money, as valuations are.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bls.errors import invalid

F64 = NDArray[np.float64]
Sale = Literal["excess", "unit"]


def worst_case(
    samples: ArrayLike, price: ArrayLike, radius: ArrayLike, sale: Sale = "excess", low: float = 0.0
) -> F64:
    """f64[...]: the least expected revenue of one visitor.

    Args:
        samples: f64[..., n], valuations >= `low`.
        price: f64[...] >= 0, broadcast against the samples' leading dimensions.
        radius: f64[...] >= 0, of the ball, in the unit of the samples.
        sale: the revenue, see the module.
        low: the least valuation there can be: the support is [low, inf).

    Raises:
        SkynetError: `bad_ball` for no samples, a sample below `low`, a price or radius below 0.
    """
    values = np.asarray(samples, np.float64)
    asked, far = np.asarray(price, np.float64), np.asarray(radius, np.float64)
    _check(values, asked, far, low)
    return (_excess if sale == "excess" else _unit)(values, asked, far, low)


def worst_demand(demand: ArrayLike, price: ArrayLike, radius: ArrayLike) -> F64:
    """f64[...]: the least expected revenue when the law of demands f64[..., n] >= 0 moves.

    `radius` is in units sold. Raises `bad_ball` as `worst_case`.
    """
    units, asked = np.asarray(demand, np.float64), np.asarray(price, np.float64)
    far = np.asarray(radius, np.float64)
    _check(units, asked, far, 0.0)
    worst: F64 = asked * np.maximum(0.0, units.mean(axis=-1) - far)
    return worst


def _check(values: F64, price: F64, radius: F64, low: float) -> None:
    fair = values.ndim and values.shape[-1] and np.all(values >= low)
    if not (fair and np.all(price >= 0) and np.all(radius >= 0)):
        raise invalid("bad_ball", "A ball needs samples on its support, a price and a radius >= 0.")


def _excess(values: F64, price: F64, radius: F64, low: float) -> F64:
    expected = np.maximum(0.0, values - price[..., None]).mean(axis=-1)
    worst: F64 = np.maximum(price * (expected - radius), price * np.maximum(0.0, low - price))
    return worst


def _unit(values: F64, price: F64, radius: F64, low: float) -> F64:
    gaps = values - price[..., None]
    count = gaps.shape[-1]
    bought = gaps >= 0
    cost = np.sort(np.where(bought, gaps, np.inf), axis=-1)
    total = np.cumsum(cost, axis=-1)
    budget = np.broadcast_to(radius * count, total.shape[:-1])[..., None]
    whole = np.isfinite(total) & (total <= budget) & (budget > 0)
    spent = np.max(np.where(whole, total, 0.0), axis=-1, keepdims=True)
    lost = whole.sum(axis=-1, keepdims=True)
    after = np.take_along_axis(cost, np.minimum(lost, count - 1), axis=-1)
    open_ = (lost < count) & np.isfinite(after) & (after > 0)
    part = np.where(open_, (budget - spent) / np.where(open_, after, 1.0), 0.0)
    kept = bought.sum(axis=-1) - (lost + np.minimum(part, 1.0))[..., 0]
    safe = np.where(price <= low, bought.sum(axis=-1), np.maximum(kept, 0.0))
    worst: F64 = price * safe / count
    return worst
