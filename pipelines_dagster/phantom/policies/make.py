# SPDX-License-Identifier: Apache-2.0
"""One policy, trained and measured against base prices, in a folder: `skynet phantom train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines_dagster.phantom.bench.evaluate import evaluate
from pipelines_dagster.phantom.bench.record import record
from pipelines_dagster.phantom.policies.policy import Policy
from pipelines_dagster.phantom.policies.rules import Static
from pipelines_dagster.phantom.policies.saved import write_policy
from pipelines_dagster.phantom.policies.train import Tell, TrainPlan, train

SHARES = (0.0, 0.3, 0.6, 1.0)


def make(plan: TrainPlan, folder: Path, tell: Tell = lambda _: None) -> dict[str, float]:
    """Train, measure, write; the figures.

    They are gains over base prices before the same visitors, as shares: `objective_gain_0.3` at a
    share of agents of 0.3.
    """
    policy = train(plan, tell)
    metrics = gains(policy, plan)
    trail = record(plan.market, [plan.origin.seed])
    config: dict[str, Any] = {**trail, "metrics": metrics, "created_by": _again(plan)}
    write_policy(folder, policy, plan.origin, config)
    return metrics


def gains(policy: Policy, plan: TrainPlan) -> dict[str, float]:
    """See `make`."""
    found: dict[str, float] = {}
    for share in SHARES:
        mine, base = (
            evaluate(each, plan.market, share, plan.origin.seed) for each in (policy, Static())
        )
        found[f"revenue_gain_{share:g}"] = mine.revenue / base.revenue - 1
        found[f"objective_gain_{share:g}"] = mine.objective / base.objective - 1
        found[f"margin_{share:g}"] = mine.margin
    return found


def _again(plan: TrainPlan) -> str:
    told = plan.origin
    return (
        f"skynet phantom train --tier {told.tier} --robust {told.robust} --seed {told.seed} "
        f"--timesteps {told.timesteps} --information {plan.market.information} --out FOLDER"
    )
