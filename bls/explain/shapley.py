# SPDX-License-Identifier: Apache-2.0
"""Shapley values of tokens by the library `shap`, within a fixed number of model evaluations.

Whole permutations are walked forwards and backwards: base + sum of the values is the prediction,
and one walk is exact where tokens interact in pairs at most. Only the explain worker imports this
module: `shap` takes seconds to import.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shap.explainers import PermutationExplainer

F64 = NDArray[np.float64]
Shown = NDArray[np.bool_]

_SEED = 1


@dataclass(frozen=True)
class Attribution:
    """`values` f64 [T] and the value with every token hidden, in `evaluations` model rows."""

    values: F64
    base: float
    evaluations: int


class _Hide:
    """shap's masker: what is shown is the input itself."""

    immutable_outputs = True

    def __call__(self, shown: Shown, _: Shown) -> Shown:
        return shown[None, :]


def attribute(value_of: Callable[[Shown], F64], count: int, budget: int) -> Attribution:
    """Share a prediction among `count` tokens. The same arguments give the same values.

    Args:
        value_of: shown bool [n, count] -> f64 [n].
        budget: model rows at most, but never less than one walk: 2 count + 1.
    """
    walk = 2 * count + 1
    evaluations = max(budget // walk, 1) * walk
    explainer = PermutationExplainer(value_of, _Hide(), seed=_SEED)
    found = explainer(
        np.ones((1, count), bool), max_evals=evaluations, batch_size=walk, silent=True
    )
    base = float(np.ravel(found.base_values)[0])
    return Attribution(np.asarray(found.values[0], np.float64), base, evaluations)
