# SPDX-License-Identifier: Apache-2.0
"""A version that was not trained here becomes a candidate, with a gate and a canary like any."""

from __future__ import annotations

from pathlib import Path

from export.model_manifest import ModelManifest
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.defs.training.run import Records, record
from pipelines_dagster.defs.training.trainer import Made


def offer(
    desk: Desk,
    subsystem: str,
    version: str,
    folder: Path,
    dataset: Path,
    *,
    records: Records | None = None,
) -> Event:
    """Put `folder` into the store and write it down as trained.

    Args:
        dataset: whose `held/` its gate is measured on.

    Raises:
        SkynetError: what the store raises.
    """
    stored = desk.artefacts.put(subsystem, version, folder)
    details = {"dataset": str(dataset), "offered": True}
    event = Event(version, log.TRAINED, stored, details=details)
    desk.ledger.append(event)
    if records is not None:
        metrics = ModelManifest.load(folder, verify=False).metrics
        record(records, stored, Made(folder, metrics, {}), details, desk)
    return event
