# SPDX-License-Identifier: Apache-2.0
"""How long things are kept, in one place. Days, by table; the seeds' figures where they have one.

token_auction 5 (auction.* 180, policy 30), competitor_bid 4 (errors 30), max_reward_optimizer 4
(select 30), content_generation 4 (click pairs 180), offline_orchestration 3 (gold 90).
"""

from __future__ import annotations

from bls.events.topics import TOPICS

BILLING_DAYS = 180
DEBUG_DAYS = 30
DERIVED_DAYS = 90

TTL_DAYS: dict[str, int] = {
    f"bronze/{topic.table}": BILLING_DAYS if topic.billing else DEBUG_DAYS
    for topic in TOPICS.values()
} | {
    "bronze/mpc_decisions": DERIVED_DAYS,
    "bronze/tve_feedback": DERIVED_DAYS,
    "silver/click_pairs": 180,
}
"""Tables with a time of their own; `ttl_of` knows all."""

LEDGER_DAYS = BILLING_DAYS
"""Sealed files of the serving host's billing records, once the lake has them."""

_LAYERS = {"bronze": DEBUG_DAYS, "silver": DERIVED_DAYS, "gold": DERIVED_DAYS}
_FOR_GOOD = "ops"


def ttl_of(table: str) -> int | None:
    """Days that rows of a table, or a training set, are kept; None: for good (our own ledgers)."""
    layer = table.partition("/")[0]
    return None if layer == _FOR_GOOD else TTL_DAYS.get(table, _LAYERS.get(layer))
