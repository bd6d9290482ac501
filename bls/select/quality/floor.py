# SPDX-License-Identifier: Apache-2.0
"""How often an ad is shown under a floor of similarity, to whom it fits and to whom it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bls.select.quality.data import Labelled

F32 = NDArray[np.float32]
FLOORS = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)


class Shown(NamedTuple):
    """Shares in [0, 1].

    Attributes:
        relevant, judged_not: pairs of that label above the floor.
        queries, prompts, chats: of them that are shown any ad.
    """

    floor: float
    relevant: float
    judged_not: float
    queries: float
    prompts: float
    chats: float


def shown(
    labelled: Labelled, products: F32, queries: F32, *, prompts: F32, chats: F32
) -> Sequence[Shown]:
    """One line a floor; all f32 [n, 128] of unit norm."""
    pairs = {1: [0.0], 0: [0.0]}
    for query, labels in labelled.judged.items():
        for place, label in labels.items():
            pairs[label].append(float(products[place] @ queries[query]))
    best = [(products @ asked.T).max(axis=0) for asked in (queries, prompts, chats)]
    held = [np.array(pairs[1][1:]), np.array(pairs[0][1:]), *best]
    return [Shown(floor, *(float((sims >= floor).mean()) for sims in held)) for floor in FLOORS]
