# SPDX-License-Identifier: Apache-2.0
"""Results as arrays: policies by name, figures as f64[seeds, shares]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines_dagster.phantom.bench.work import Result
from pipelines_dagster.phantom.policies.policy import F64, Robust, Tier

Name = tuple[Tier, Robust]


class Columns:
    """Of a benchmark's results, which have every seed of every policy."""

    def __init__(self, results: Sequence[Result]) -> None:
        self._by: dict[Name, list[Result]] = {}
        for result in results:
            self._by.setdefault((result.origin.tier, result.origin.robust), []).append(result)
        for found in self._by.values():
            found.sort(key=lambda result: result.origin.seed)
        self.alphas = np.array(list(results[0].outcomes)) if results else np.zeros(0)

    @property
    def names(self) -> list[Name]:
        """Policies, in the order they were run."""
        return list(self._by)

    def figure(self, name: Name, figure: str, wide: bool = False) -> F64:
        """f64[seeds, shares]."""
        return np.array(
            [
                [getattr(each, figure) for each in (one.wide if wide else one.outcomes).values()]
                for one in self._by[name]
            ]
        )

    def trace(self, name: Name, alpha: float) -> F64:
        """f64[steps]: mean multiplier of what sold, over seeds."""
        found = [one.outcomes[alpha].trace for one in self._by[name]]
        mean: F64 = np.array(found).mean(axis=0)
        return mean

    def train_s(self, name: Name) -> float:
        return float(np.mean([one.train_s for one in self._by[name]]))

    @property
    def has_wide(self) -> bool:
        return all(one.wide for found in self._by.values() for one in found)
