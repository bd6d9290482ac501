# SPDX-License-Identifier: Apache-2.0
"""Ends promotions whose process died, within a minute of its death."""

from __future__ import annotations

import dagster as dg

from bls.errors import SkynetError
from bls.models.model_key import SUBSYSTEMS
from pipelines_dagster.defs.promotion.desk import Desk, open_desk
from pipelines_dagster.defs.promotion.recover import resume
from pipelines_dagster.resources import Pipelines


def resume_all(desk: Desk) -> list[str]:
    """Versions whose promotion was ended; one that is alive is left alone."""
    found: list[str] = []
    for subsystem in SUBSYSTEMS:
        try:
            found += [event.stored.version for event in resume(desk, subsystem, wait_s=0.0)]
        except SkynetError as fault:
            if fault.code != "promotion_running":
                raise
    return found


@dg.sensor(minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def abandoned_promotions(pipelines: Pipelines) -> dg.SkipReason:
    """No runs are asked for: what is to be done is done here."""
    from pipelines_dagster.registry.mlflow_registry import open_registry  # noqa: PLC0415  (slow)

    settings = pipelines.settings()
    found = resume_all(open_desk(settings, open_registry(settings)))
    return dg.SkipReason(f"ended: {', '.join(found)}" if found else "none")


SENSORS = [abandoned_promotions]
