# SPDX-License-Identifier: Apache-2.0
"""Starts a canary for every version that has passed its gate, whatever job trained it.

A run of its own: watching readers takes hours, and one model's refusal must not stop another's.
"""

from __future__ import annotations

import dagster as dg

from bls.models.model_key import AGENT, PREDICTOR, PRICE, TVE
from pipelines_dagster.defs.operations.jobs import JOBS
from pipelines_dagster.defs.operations.plan import CANARY
from pipelines_dagster.defs.promotion.ledger import PromotionLedger
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.resources import Pipelines

_ASSETS = {PREDICTOR: "predictor", TVE: "tve", AGENT: "agent", PRICE: "price"}


@dg.sensor(
    name="canaries",
    job=JOBS[CANARY],
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def canaries(pipelines: Pipelines) -> dg.SensorResult:
    """A run for each version, once; runs wait for one another in their pool."""
    ledger = PromotionLedger(pipelines.lake())
    requests = [
        dg.RunRequest(
            run_key=f"canary-{stored.version}-{stored.served}",
            asset_selection=[dg.AssetKey(["live", name])],
            tags={"version": stored.version},
        )
        for subsystem, name in _ASSETS.items()
        if (stored := ready(ledger, subsystem)) is not None
    ]
    return dg.SensorResult(requests, skip_reason=None if requests else "no version is waiting")


def ready(ledger: PromotionLedger, subsystem: str) -> Stored | None:
    """The newest trained version, if it passed its gate and nothing became of it yet."""
    candidate = ledger.candidate(subsystem)
    if candidate is None or ledger.settled(candidate.stored):
        return None
    gate = ledger.gate_of(candidate.stored)
    return candidate.stored if gate is not None and not gate.reason else None
