# SPDX-License-Identifier: Apache-2.0
"""`models/*`: a trained version in the store, and its blocking gate.

An asset without a trainer, without data, or whose search found nothing better, yields nothing: what
is below it is skipped, nothing fails. A failed gate stops the run before anything is live.

Dagster reads the annotations of a configuration: they are not postponed here.
"""

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg

from bls.errors import SkynetError
from pipelines_dagster.defs.promotion.desk import open_desk
from pipelines_dagster.defs.promotion.validation import validate
from pipelines_dagster.defs.training.run import train_one
from pipelines_dagster.defs.training.trainers import SKIPS, TRAINERS
from pipelines_dagster.resources import Pipelines

GROUP = "models"
RETRY = dg.RetryPolicy(max_retries=2, delay=60, backoff=dg.Backoff.EXPONENTIAL)
_SILVER = {"lambda_bandit": "lambda_rewards", "agent": "sessions"}


class TrainingConfig(dg.Config):
    """Of one run. `profile`: `full` or `quick`; empty as the settings say."""

    profile: str = ""
    seed: int = 0


def model_asset(name: str) -> dg.AssetsDefinition:
    """`models/<name>`."""
    trainer = TRAINERS[name]
    deps = []
    if trainer is not None and trainer.gold:
        deps = [dg.AssetKey(["gold", trainer.gold])]
    elif _SILVER.get(name):
        deps = [dg.AssetKey(["silver", _SILVER[name]])]

    @dg.asset(
        key=["models", name],
        deps=deps,
        group_name=GROUP,
        output_required=False,
        retry_policy=RETRY,
        pool="training",
        description=f"The newest trained version of {name}.",
        kinds={"onnx"} if name in ("predictor", "tve", "agent", "price") else None,
    )
    def trained(
        pipelines: Pipelines, config: TrainingConfig
    ) -> Iterator[dg.MaterializeResult[None]]:
        from pipelines_dagster.registry.mlflow_registry import open_registry  # noqa: PLC0415

        settings = pipelines.settings()
        if config.profile:
            settings = replace(settings, training=config.profile)
        desk, records = open_desk(settings), open_registry(settings)
        try:
            event = train_one(name, settings, desk, seed=config.seed, records=records)
        except SkynetError as fault:
            if fault.code not in SKIPS:
                raise
            _log(f"skipped: {fault.code}: {fault.message}")
            return
        yield dg.MaterializeResult(
            metadata={
                "version": event.stored.version,
                "uri": event.stored.uri,
                "sha256": event.stored.sha256,
                "elapsed_ms": event.elapsed_ms,
                "origin": dg.MetadataValue.json(dict(event.details)),
            }
        )

    return trained


def gate_check(name: str) -> dg.AssetChecksDefinition:
    """`gate` of `models/<name>`: blocking."""

    @dg.asset_check(
        asset=dg.AssetKey(["models", name]),
        name="gate",
        blocking=True,
        description="Every figure of docs/promotion.md, on held-out rows, against the champion.",
    )
    def gate(pipelines: Pipelines) -> dg.AssetCheckResult:
        settings = pipelines.settings()
        desk = open_desk(settings)
        trainer = TRAINERS[name]
        candidate = None if trainer is None else desk.ledger.candidate(trainer.subsystem)
        if candidate is None:
            return dg.AssetCheckResult(passed=False, metadata={"failures": "no candidate"})
        verdict = validate(candidate, settings, desk)
        return dg.AssetCheckResult(
            passed=verdict.passed, metadata={"verdict": dg.MetadataValue.json(verdict.as_dict())}
        )

    return gate


def _log(text: str) -> None:
    dg.get_dagster_logger().info(text)


ASSETS = [model_asset(name) for name in TRAINERS]
CHECKS = [gate_check(name) for name in TRAINERS]
