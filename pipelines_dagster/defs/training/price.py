# SPDX-License-Identifier: Apache-2.0
"""`models/price`: a pricing policy that sees f(tau), learned in PHANTOM's market.

It learns on every share of agents and conditions on the agent probability of the session it
prices, instead of a share that was fixed when it was trained. The market is a simulation: nothing
is read from the lake, so the same seed makes the same policy, and `nothing_better` ends the night.
"""

from __future__ import annotations

from bls.errors import SkynetError
from bls.models.model_key import PRICE
from pipelines_dagster.defs.promotion import figures_shop
from pipelines_dagster.defs.training.trainer import Job, Made, Trainer

TIMESTEPS = {"full": 20_000, "quick": 400}
"""Steps of a market. The tier is the one of the version that ships (docs/phantom_bench.md)."""
LEAST = 0.001
"""Of the simulated objective, mean over the shares of agents: less is not worth a canary."""


def run(job: Job) -> Made:
    """Raises `nothing_better`, or what `make` of the policies and their `export` raise."""
    from export.session_price.artefact import export  # noqa: PLC0415  (torch, for its parity)
    from pipelines_dagster.phantom.policies.make import make  # noqa: PLC0415
    from pipelines_dagster.phantom.policies.policy import Origin  # noqa: PLC0415
    from pipelines_dagster.phantom.policies.train import TrainPlan  # noqa: PLC0415

    origin = Origin("linear", "conditional", job.seed, TIMESTEPS[job.profile])
    make(TrainPlan(origin), job.out / "policy")
    manifest = export(job.out / "policy", job.out / "model")
    metrics = {**manifest.metrics, "gained": _gained(job)}
    return Made(job.out / "model", metrics, manifest.details)


def _gained(job: Job) -> float:
    """Over the live policy, relative; 0 where there is none."""
    if PRICE not in job.champions:
        return 0.0
    gained = figures_shop.gained(job.out / "model", job.champions[PRICE], job.profile)
    if gained < LEAST:
        raise SkynetError("nothing_better", "The live policy earns as much.", 409)
    return gained


TRAINER = Trainer("price", run, gold="", sla_s=3600)
