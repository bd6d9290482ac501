# SPDX-License-Identifier: Apache-2.0
"""`models/price`: a pricing policy that sees f(tau), learned in PHANTOM's market.

It learns on every share of agents and conditions on the agent probability of the session it
prices, instead of a share that was fixed when it was trained. The market is a simulation: nothing
is read from the lake.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bls.contracts import PRICE_GRAPH
from bls.errors import SkynetError
from bls.models.model_key import PRICE
from bls.models.onnx_model import MODEL
from export.errors import ExportError
from export.model_manifest import ModelManifest, hash_files
from pipelines_dagster.defs.promotion import figures_shop
from pipelines_dagster.defs.training.trainer import Job, Made, Trainer

if TYPE_CHECKING:
    from pipelines_dagster.phantom.policies.train import TrainPlan

TIERS = {"full": "ppo", "quick": "linear"}
TIMESTEPS = {"full": 100_000, "quick": 800}
"""Steps of a market."""
LEAST = 0.001
"""Of the simulated objective, mean over the shares of agents: less is not worth a canary."""


def run(job: Job) -> Made:
    """Raises what `train` of the policies and the parity check of the graph raise."""
    from pipelines_dagster.phantom.policies.network import NetworkPolicy  # noqa: PLC0415  (slow)
    from pipelines_dagster.phantom.policies.policy import Origin  # noqa: PLC0415
    from pipelines_dagster.phantom.policies.train import TrainPlan, train  # noqa: PLC0415

    tier = TIERS[job.profile]
    origin = Origin(tier, "conditional", job.seed, TIMESTEPS[job.profile])  # type: ignore[arg-type]
    plan = TrainPlan(origin)
    policy = train(plan)
    if not isinstance(policy, NetworkPolicy):
        raise ExportError("no_network", "only a network becomes a graph")
    made = _write(policy, plan, job.out / "model")
    gained = _gained(job)
    return Made(job.out / "model", {**made.metrics, "gained": gained}, _params(plan))


def _gained(job: Job) -> float:
    """Over the live policy, relative. Raises `nothing_better`: the same night makes the same."""
    if PRICE not in job.champions:
        return 0.0
    gained = figures_shop.gained(job.out / "model", job.champions[PRICE], job.profile)
    if gained < LEAST:
        raise SkynetError("nothing_better", "The live policy earns as much.", 409)
    return gained


def _write(policy: object, plan: TrainPlan, folder: Path) -> ModelManifest:
    """`model.onnx` and `manifest.json`."""
    from export.session_price import graph, parity  # noqa: PLC0415  (torch)

    folder.mkdir(parents=True)
    graph.write(graph.build(policy), folder / MODEL)  # type: ignore[arg-type]
    checked = parity.check(policy, (folder / MODEL).read_bytes())  # type: ignore[arg-type]
    params = _params(plan)
    manifest = ModelManifest(
        name=PRICE_GRAPH.name,
        version="1",
        files=hash_files(folder, [MODEL]),
        inputs={"STATE": "FP32[-1,8]"},
        outputs={"MULTIPLIER": "FP32[-1,1]"},
        metrics={"parity_rows": checked.rows, "parity_differ": checked.differ},
        dataset_sha256=hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest(),
        seed=plan.origin.seed,
        created_by="models/price of the pipelines",
        details=params,
    )
    manifest.write(folder)
    return manifest


def _params(plan: TrainPlan) -> dict[str, object]:
    """The plan as JSON has it; the market is made of it alone."""
    return dict(json.loads(json.dumps(asdict(plan))))


TRAINER = Trainer("price", run, gold="", sla_s=3600)
