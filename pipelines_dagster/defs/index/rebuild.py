# SPDX-License-Identifier: Apache-2.0
"""`rebuild`: the database as a new index version in the store and the ledger.

Embeddings are the stored ones, so no text is read and no model runs. Memory is bounded whatever the
number of creatives, see `bls.select.index.build`.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bls.ads.source import AdSource
from bls.errors import SkynetError
from bls.select.index import version as on_disk
from bls.select.index.erased import erased_creatives
from pipelines_dagster.defs.index.source import live_axes
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.notify.series import gauge
from pipelines_dagster.registry.names import next_version
from pipelines_dagster.settings import PipelineSettings

SUBSYSTEM = "index"
STREAM = "vector_db.rebuild.log"
THREADS = 2


def rebuild(settings: PipelineSettings, desk: Desk, source: AdSource, seed: int = 0) -> Event:
    """Build, store, write down; the ledger's `trained` event.

    Raises:
        SkynetError: `no_data` without a creative that may be chosen; `ads_unavailable`; what
            reading the axes raises.
    """
    live = live_axes(desk)
    work = settings.serving.state / "training"
    work.mkdir(parents=True, exist_ok=True)
    taken = desk.artefacts.versions(SUBSYSTEM)
    name = next_version(SUBSYSTEM, taken, datetime.now(UTC).date())
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="index.", dir=work) as scratch:
        made = on_disk.write(
            Path(scratch),
            source,
            live.p_k,
            live.served,
            settings.serving.index,
            version=name,
            barred=erased_creatives(settings.serving).read(),
            seed=seed,
            threads=THREADS,
        )
        if not made.metrics["rows"]:
            raise SkynetError("no_data", "No creative may be chosen, so there is no index.", 409)
        stored = desk.artefacts.put(SUBSYSTEM, name, Path(scratch))
    elapsed = 1e3 * (time.monotonic() - began)
    details = {"metrics": made.metrics, "seed": seed, **made.details}
    event = Event(name, log.TRAINED, stored, elapsed_ms=elapsed, details=details)
    desk.ledger.append(event)
    desk.streams.write(
        STREAM, version=name, index_sha=stored.sha256, **details, elapsed_ms=round(elapsed, 1)
    )
    gauge(desk.metrics, "orch_index_rebuild_ms", elapsed, "The last rebuild of the index, ms")
    return event


def forget(settings: PipelineSettings, kept: int = 3) -> list[str]:
    """Remove all but the newest versions from a folder store: ten million creatives take 3 GB a
    night. What was removed."""
    folder = settings.serving.models_folder / SUBSYSTEM
    if settings.serving.models.startswith("s3://") or not folder.is_dir():
        return []
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in found[:-kept]:
        shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in found[:-kept]]
