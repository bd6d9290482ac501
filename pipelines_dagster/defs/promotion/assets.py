# SPDX-License-Identifier: Apache-2.0
"""`live/*`: what `models/*` made, on live traffic.

Dagster reads the annotations of a configuration: they are not postponed here.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from bls.errors import SkynetError
from bls.models.model_key import AGENT, PREDICTOR, PRICE, TVE
from pipelines_dagster.defs.promotion.arms import Rules
from pipelines_dagster.defs.promotion.champion import champion
from pipelines_dagster.defs.promotion.desk import Desk, open_desk
from pipelines_dagster.defs.promotion.promote import Plan, promote
from pipelines_dagster.defs.promotion.publish import publish
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.resources import Pipelines
from pipelines_dagster.settings import PipelineSettings

GROUP = "live"
CANARY_POOL = "canary"
"""One at a time: every canary takes the same conversations."""


class CanaryConfig(dg.Config):
    """Of one run; what is 0 is as the settings say, or as `Rules` has it.

    Attributes:
        rehearsal: see `promote`.
    """

    share: float = 0.0
    watch_s: float = 0.0
    poll_s: float = 0.0
    rows: int = 0
    conversations: int = 0
    rehearsal: bool = False

    def plan(self, settings: PipelineSettings, subsystem: str = PREDICTOR) -> Plan:
        plan = Plan.of(settings, subsystem)
        rules = Rules(
            plan.rules.tolerance,
            self.conversations or plan.rules.conversations,
            self.rows or plan.rules.rows,
        )
        return Plan(
            self.share or plan.share,
            self.watch_s or plan.watch_s,
            self.poll_s or plan.poll_s,
            rules,
        )


_NOT_NOW = frozenset({"no_signing_key"})
"""Refusals that are a choice of the operator's, not a fault."""


def served_asset(name: str, subsystem: str) -> dg.AssetsDefinition:
    """`live/<name>`: a canary, then the model key. Rolled back is a failure of the run."""

    @dg.asset(
        key=["live", name],
        deps=[dg.AssetKey(["models", name])],
        group_name=GROUP,
        output_required=False,
        pool=CANARY_POOL,
        description=f"The version of {name} that answers readers.",
    )
    def live(pipelines: Pipelines, config: CanaryConfig) -> Iterator[dg.MaterializeResult[None]]:
        from pipelines_dagster.registry.mlflow_registry import open_registry  # noqa: PLC0415

        settings = pipelines.settings()
        desk = open_desk(settings, open_registry(settings))
        stored = next_candidate(desk, subsystem, again=config.rehearsal)
        if stored is None:
            _log("skipped: no candidate that was not settled already")
            return
        before = champion(subsystem, desk.keys, desk.artefacts, settings)
        done = promote(
            desk, stored, before, config.plan(settings, subsystem), rehearsal=config.rehearsal
        )
        metadata: dict[str, Any] = {
            "version": stored.version,
            "sha256": stored.sha256,
            "outcome": done.event,
            "reason": done.reason,
            "key_version": done.key_version,
            "elapsed_ms": done.elapsed_ms,
            "observed": dg.MetadataValue.json(done.observed.as_dict() if done.observed else {}),
        }
        if not done.promoted:
            raise dg.Failure(f"{done.event}: {done.reason}", metadata, allow_retries=False)
        yield dg.MaterializeResult(metadata=metadata)

    return live


def written_asset(name: str, model: str, subsystem: str) -> dg.AssetsDefinition:
    """`live/<name>`: a value of the key store, written at once."""

    @dg.asset(
        key=["live", name],
        deps=[dg.AssetKey(["models", model])],
        group_name=GROUP,
        output_required=False,
        description=f"The live value of {name}.",
    )
    def live(pipelines: Pipelines) -> Iterator[dg.MaterializeResult[None]]:
        desk = open_desk(pipelines.settings())
        stored = next_candidate(desk, subsystem)
        if stored is None:
            _log("skipped: no candidate that was not settled already")
            return
        try:
            event = publish(desk, stored)
        except SkynetError as fault:
            if fault.code not in _NOT_NOW:
                raise
            _log(f"skipped: {fault.code}: {fault.message}")
            return
        yield dg.MaterializeResult(
            metadata={"version": stored.version, "key_version": event.key_version}
        )

    return live


def next_candidate(desk: Desk, subsystem: str, again: bool = False) -> Stored | None:
    """The newest trained version, unless it was promoted, rolled back or refused already.

    Args:
        again: whatever became of it.
    """
    candidate = desk.ledger.candidate(subsystem)
    if candidate is None or (desk.ledger.settled(candidate.stored) and not again):
        return None
    return candidate.stored


def _log(text: str) -> None:
    dg.get_dagster_logger().info(text)


ASSETS = [
    served_asset("predictor", PREDICTOR),
    served_asset("tve", TVE),
    served_asset("agent", AGENT),
    served_asset("price", PRICE),
    written_asset("params", "tuner", "tuner"),
    written_asset("lambda", "lambda_bandit", "lambda"),
    written_asset("axes", "axes", "axes"),
]
