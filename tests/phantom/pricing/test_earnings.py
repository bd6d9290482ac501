# SPDX-License-Identifier: Apache-2.0
"""The canary of the shop's models: what sessions were scored, what they earned, what it decides."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

from bls.phantom.shop import catalogue
from pipelines_dagster.defs.promotion.arms import (
    Arm,
    Decision,
    Observation,
    Rules,
    arm_of,
    decide,
)
from pipelines_dagster.defs.promotion.live_shop import earnings, priced, scored, scores

pytestmark = pytest.mark.spec("PH-12")
ONE, OTHER = "1" * 16, "2" * 16


def earned(champion: float, challenger: float, spread: float = 0.01) -> Observation:
    arms = (Arm(500, 500, mean, (spread * mean) ** 2) for mean in (champion, challenger))
    return Observation(*arms, earned=True)


@pytest.mark.parametrize(
    ("seen", "decision"),
    [
        (earned(10, 12), Decision.PROMOTE),
        (earned(10, 10), Decision.PROMOTE),
        (earned(10, 7), Decision.WORSE),
        (earned(10, 10, 0.2), Decision.UNDECIDED),
        (earned(10, 0), Decision.WORSE),
        (earned(0, 10), Decision.PROMOTE),
        (earned(10, -1), Decision.WORSE),
        (earned(0, 0), Decision.TOO_FEW),
    ],
)
def test_more_earned_is_better(seen: Observation, decision: Decision) -> None:
    assert decide(seen, Rules(tolerance=0.1), over=True) is decision
    assert "earnings_fall" in seen.as_dict()


def of_sales(champion: tuple[int, int], challenger: tuple[int, int]) -> Observation:
    """(sessions, sales) of either arm; a sale earns 20."""
    arms = []
    for count, sold in (champion, challenger):
        earned = [20.0] * sold + [0.0] * (count - sold)
        rows = {"conv_id": [f"{at}" for at in range(count)], "squared": earned}
        arms.append(arm_of(pl.DataFrame(rows)))
    return Observation(arms[0], arms[1], earned=True)


@pytest.mark.parametrize(
    ("champion", "challenger", "decision"),
    [
        ((1000, 60), (1000, 0), Decision.WORSE),
        ((1000, 5), (1000, 0), Decision.WAIT),
        ((5000, 30), (50, 0), Decision.WAIT),  # 0.3 sales were to be expected
        ((1000, 0), (1000, 60), Decision.WAIT),
        ((1000, 0), (1000, 0), Decision.WAIT),
        ((20, 20), (20, 0), Decision.WAIT),
    ],
)
def test_a_price_that_sells_nothing_is_stopped_early(
    champion: tuple[int, int], challenger: tuple[int, int], decision: Decision
) -> None:
    seen = of_sales(champion, challenger)
    assert decide(seen, Rules(tolerance=0.1), over=False) is decision


def frame(rows: list[dict[str, Any]], **usual: Any) -> pl.LazyFrame:
    return pl.LazyFrame([usual | row for row in rows], infer_schema_length=None)


def test_scores_are_judged_where_the_actor_is_known() -> None:
    acts = frame(
        [
            {"session_id": "a", "ts": 1.0, "label": "unknown", "agent_probability": 0.25},
            {"session_id": "a", "ts": 2.0, "label": "human", "kind": "label", "agent_version": ""},
            {"session_id": "b", "ts": 1.0, "label": "synthetic", "actor": "agent"},
            {"session_id": "c", "ts": 1.0, "label": "unknown"},
            {"session_id": "d", "ts": 1.0, "label": "agent", "agent_version": OTHER},
            {"session_id": "e", "ts": 1.0, "label": "agent", "agent_probability": math.nan},
            {"session_id": "f", "ts": 1.0, "label": "agent", "agent_version": "3" * 16},
        ],
        kind="act",
        actor="",
        agent_probability=0.5,
        agent_version=ONE,
    )
    found = scores(acts, (ONE, OTHER)).sort("conv_id")
    assert found.select("conv_id", "arm", "squared").rows() == [
        ("a", ONE, 0.0625),
        ("b", ONE, 0.25),
        ("d", OTHER, 0.25),
    ]
    failed = dict(scored(acts).rows())
    assert failed["e"] and not failed["a"] and len(failed) == 6


def test_what_sessions_earned() -> None:
    item = next(iter(catalogue("hotel").items.values()))
    price = item.base_micros
    shown = frame(
        [
            {"session_id": "a", "ts": 1.0, "version": ONE, "price_micros": price},
            {"session_id": "a", "ts": 5.0, "version": OTHER, "price_micros": price + 10_000_000},
            {"session_id": "a", "ts": 9.0, "version": OTHER, "price_micros": price + 50_000_000},
            {"session_id": "b", "ts": 1.0, "version": OTHER, "price_micros": price},
            {"session_id": "c", "ts": 1.0, "version": "", "policy": "base", "price_micros": price},
        ],
        mode="hotel",
        item=item.item,
        policy="session_price",
    )
    acts = frame(
        [
            {"session_id": "a", "ts": 7.0, "action": "purchase"},
            {"session_id": "b", "ts": 7.0, "action": "view_item"},
            {"session_id": "c", "ts": 7.0, "action": "purchase"},
        ],
        kind="act",
        item=item.item,
    )
    margin = (price - item.cost_micros) / 1e6 + 10.0
    found = earnings(acts, shown, (ONE, OTHER)).sort("conv_id")
    assert found.select("conv_id", "arm").rows() == [("a", ONE), ("b", OTHER)]
    assert found["squared"].to_list() == pytest.approx([margin, 0.0])
    assert sorted(priced(shown).rows()) == [("a", False), ("b", False), ("c", True)]


def test_a_session_fails_once_however_many_prices_it_was_given() -> None:
    policies = ["base"] * 20 + ["session_price"] * 5
    shown = frame([{"session_id": "a", "policy": policy} for policy in policies])
    assert priced(shown).rows() == [("a", True)]
