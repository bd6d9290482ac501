# SPDX-License-Identifier: Apache-2.0
"""`index/version`: last night's creatives on the live axes, with its gate; `index/live`: its key.

Dagster reads the annotations of a check: they are not postponed here.
"""

from collections.abc import Iterator

import dagster as dg

from bls.errors import SkynetError
from pipelines_dagster.defs.index import source
from pipelines_dagster.defs.index.gate import check
from pipelines_dagster.defs.index.rebuild import SUBSYSTEM, forget, rebuild
from pipelines_dagster.defs.promotion.assets import next_candidate
from pipelines_dagster.defs.promotion.desk import open_desk
from pipelines_dagster.defs.promotion.publish import publish
from pipelines_dagster.resources import Pipelines

GROUP = "index"
VERSION = dg.AssetKey(["index", "version"])
_SKIPS = frozenset({"no_data"})


@dg.asset(
    key=VERSION,
    deps=[dg.AssetKey(["live", "axes"])],
    group_name=GROUP,
    output_required=False,
    pool="training",
    description="The creatives of the database as an index on the live axes.",
)
def version(pipelines: Pipelines) -> Iterator[dg.MaterializeResult[None]]:
    settings = pipelines.settings()
    try:
        event = rebuild(settings, open_desk(settings), source.open_source(settings))
    except SkynetError as fault:
        if fault.code not in _SKIPS:
            raise
        dg.get_dagster_logger().info(f"skipped: {fault.code}: {fault.message}")
        return
    yield dg.MaterializeResult(
        metadata={
            "version": event.stored.version,
            "uri": event.stored.uri,
            "sha256": event.stored.sha256,
            "elapsed_ms": event.elapsed_ms,
            "metrics": dg.MetadataValue.json(dict(event.details["metrics"])),
        }
    )


@dg.asset_check(
    asset=VERSION,
    name="gate",
    blocking=True,
    description="The version is whole, and its recall@10 against an exact search is 0.9 or more.",
)
def gate(pipelines: Pipelines) -> dg.AssetCheckResult:
    desk = open_desk(pipelines.settings())
    trained = desk.ledger.candidate(SUBSYSTEM)
    if trained is None:
        return dg.AssetCheckResult(passed=False, metadata={"failures": "no candidate"})
    verdict = check(trained, desk)
    return dg.AssetCheckResult(passed=not verdict.reason, metadata={"failures": verdict.reason})


@dg.asset(
    key=["index", "live"],
    deps=[VERSION],
    group_name=GROUP,
    output_required=False,
    description="The index version that servers take.",
)
def live(pipelines: Pipelines) -> Iterator[dg.MaterializeResult[None]]:
    settings = pipelines.settings()
    desk = open_desk(settings)
    stored = next_candidate(desk, SUBSYSTEM)
    if stored is None:
        dg.get_dagster_logger().info("skipped: no candidate that was not settled already")
        return
    event = publish(desk, stored)
    gone = forget(settings)
    yield dg.MaterializeResult(
        metadata={
            "version": stored.version,
            "sha256": stored.sha256,
            "key_version": event.key_version,
            "removed": ", ".join(gone),
        }
    )


ASSETS = [version, live]
CHECKS = [gate]
