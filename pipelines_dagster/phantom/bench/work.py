# SPDX-License-Identifier: Apache-2.0
"""One job of a benchmark: train a policy, judge it at every share.

The same function runs here and on a Ray cluster, and gives the same numbers on either.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bls.errors import SkynetError
from pipelines_dagster.phantom.bench.evaluate import Outcome, evaluate
from pipelines_dagster.phantom.bench.plan import BenchPlan
from pipelines_dagster.phantom.policies.policy import Origin
from pipelines_dagster.phantom.policies.train import TrainPlan, train


@dataclass(frozen=True)
class Result:
    """Of one job.

    Attributes:
        outcomes: by share of agents.
        wide: the same on the larger market; empty where the plan has none.
        train_s: seconds of training.
    """

    origin: Origin
    outcomes: dict[float, Outcome]
    wide: dict[float, Outcome]
    train_s: float


Work = Callable[[TrainPlan], Result]
Each = Callable[[Work, Iterable[TrainPlan]], Iterator[Result]]


@dataclass(frozen=True)
class Judge:
    """What is done with a job of a plan."""

    plan: BenchPlan

    def __call__(self, job: TrainPlan) -> Result:
        began = time.perf_counter()
        policy = train(job)
        took = time.perf_counter() - began
        seed = job.origin.seed
        near = {
            alpha: evaluate(policy, self.plan.market, alpha, seed, self.plan.episodes)
            for alpha in self.plan.alphas
        }
        wide = {
            alpha: evaluate(policy, self.plan.wide_market, alpha, seed, 1)
            for alpha in (self.plan.alphas if self.plan.wide else ())
        }
        return Result(job.origin, near, wide, took)


def here(work: Work, jobs: Iterable[TrainPlan]) -> Iterator[Result]:
    """One after the other."""
    return map(work, jobs)


def on_ray(address: str) -> Each:
    """On the cluster at `address` (`local` starts one here, which stays until the process ends);
    results come as they are done."""

    def each(work: Work, jobs: Iterable[TrainPlan]) -> Iterator[Result]:
        import ray  # noqa: PLC0415  (seconds to import)

        if not ray.is_initialized():
            ray.init(address=address, include_dashboard=False, log_to_driver=False)
        remote = ray.remote(num_cpus=1)(_told)
        shared = ray.put(work)
        left = [remote.remote(shared, job) for job in jobs]
        while left:
            done, left = ray.wait(left)
            found: tuple[Result | None, dict[str, Any]] = ray.get(done[0])
            if found[0] is None:
                raise SkynetError(**found[1])
            yield found[0]

    return each


def _told(work: Work, job: TrainPlan) -> tuple[Result | None, dict[str, Any]]:
    """A typed error as a value: exceptions with their own constructor do not travel."""
    try:
        return work(job), {}
    except SkynetError as fault:
        return None, {"code": fault.code, "message": fault.message, "status": fault.status}
