# SPDX-License-Identifier: Apache-2.0
"""recall@10 and NDCG@10 of a ranking, by plain MiniLM cosine, through the axes, and from an index.

`catalogue`: ten of all products, those nobody has judged counting as not relevant. `judged`: the
judged products of the query alone, put in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bls.select.quality.data import Labelled

TOP = 10

F32 = NDArray[np.float32]
Ranking = Callable[[int], Sequence[int]]
"""Places of products for a query's place, best first."""


class Figures(NamedTuple):
    """Means over the queries that have a relevant product."""

    recall: float
    ndcg: float
    judged_recall: float
    judged_ndcg: float


def figures(labelled: Labelled, ranking: Ranking) -> Figures:
    """The four means of one way to rank."""
    rows = []
    for query, labels in labelled.judged.items():
        if any(labels.values()):
            found = list(ranking(query))
            judged = [place for place in found if place in labels]
            rows.append((*_both(found, labels), *_both(judged, labels)))
    return Figures(*np.mean(rows, axis=0).tolist())


def by_cosine(queries: F32, products: F32) -> Ranking:
    """Every product in the order of its cosine; both f32 [n, d] of unit norm."""

    def ranking(query: int) -> Sequence[int]:
        order: list[int] = np.argsort(-(products @ queries[query]), kind="stable").tolist()
        return order

    return ranking


def _both(found: Sequence[int], labels: dict[int, int]) -> tuple[float, float]:
    gains = np.array([labels.get(place, 0) for place in found[:TOP]], np.float64)
    relevant = sum(labels.values())
    discounts = 1 / np.log2(np.arange(2, TOP + 2))
    ideal = discounts[: min(relevant, TOP)].sum()
    return float(gains.sum() / relevant), float((gains * discounts[: len(gains)]).sum() / ideal)
