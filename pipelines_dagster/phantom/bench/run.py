# SPDX-License-Identifier: Apache-2.0
"""Runs a plan, with progress, and keeps every figure in `results.json`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines_dagster.phantom.bench.evaluate import Outcome
from pipelines_dagster.phantom.bench.plan import BenchPlan
from pipelines_dagster.phantom.bench.record import record
from pipelines_dagster.phantom.bench.work import Each, Judge, Result, here

RESULTS = "results.json"
Tell = Callable[[float, str], None]


def run(plan: BenchPlan, each: Each = here, tell: Tell = lambda *_: None) -> list[Result]:
    """In the order of the plan's jobs, wherever they ran.

    An interrupt (Ctrl-C) ends early: the seeds that every policy has are kept, if there is one.
    """
    jobs = list(plan.jobs())
    place = {job.origin: at for at, job in enumerate(jobs)}
    done: list[Result] = []
    try:
        for result in each(Judge(plan), jobs):
            done.append(result)
            told = result.origin
            tell(len(done) / len(jobs), f"{told.tier} {told.robust} {told.seed}")
    except KeyboardInterrupt:
        done = _whole(done, len(plan.policies()))
        if not done:
            raise
    return sorted(done, key=lambda result: place[result.origin])


def _whole(done: list[Result], policies: int) -> list[Result]:
    """Results of the seeds that have all of them."""
    count = Counter(result.origin.seed for result in done)
    return [result for result in done if count[result.origin.seed] == policies]


def write_results(folder: Path, plan: BenchPlan, results: list[Result]) -> dict[str, Any]:
    """`results.json`: the trail, and every outcome; the trail."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = sorted({result.origin.seed for result in results})
    trail = record(plan.market, seeds) | {
        "timesteps": plan.timesteps,
        "episodes": plan.episodes,
        "alphas": list(plan.alphas),
        "wide": plan.wide,
    }
    rows = [
        {
            "origin": asdict(result.origin),
            "train_s": round(result.train_s, 2),
            "outcomes": _by_share(result.outcomes),
            "wide": _by_share(result.wide),
        }
        for result in results
    ]
    text = json.dumps({"trail": trail, "results": rows}, indent=1, allow_nan=False)
    (folder / RESULTS).write_text(text + "\n", encoding="utf-8")
    return trail


def _by_share(outcomes: dict[float, Outcome]) -> dict[str, Any]:
    return {f"{alpha:g}": asdict(outcome) for alpha, outcome in outcomes.items()}
