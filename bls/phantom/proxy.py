# SPDX-License-Identifier: Apache-2.0
"""The demand proxy: how much interest the acts of one or more sessions show in each item.

Source: PHANTOM's model, "Demand proxy": `q_hat[i] = sum over events on i of omega(action)`,
normalised to 100 over the catalogue. It is behaviour seen, not demand: the guide's section 5.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bls.phantom.actions import omega
from bls.phantom.session import SessionEvent

WHOLE = 100.0


def demand_proxy(events: Iterable[SessionEvent], catalogue: Collection[str]) -> dict[str, float]:
    """item -> its part of 100, for every item of the catalogue in its order.

    Args:
        catalogue: ids of the items (`Catalogue.items` will do). Acts on others do not count.

    All 0 where no act counted.
    """
    weights = dict.fromkeys(catalogue, 0.0)
    for event in events:
        if event.item in weights:
            weights[event.item] += omega(event.action)
    total = sum(weights.values())
    scale = WHOLE / total if total else 0.0
    return {item: weight * scale for item, weight in weights.items()}
