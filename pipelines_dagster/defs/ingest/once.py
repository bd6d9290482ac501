# SPDX-License-Identifier: Apache-2.0
"""Ingest what is in Kafka now, or follow it until told to stop, with the product's settings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bls.errors import SkynetError
from pipelines_dagster.defs.ingest.commit import StoppedError
from pipelines_dagster.defs.ingest.ingest import Ingest, create_tables
from pipelines_dagster.defs.ingest.ingested import FILE
from pipelines_dagster.defs.ingest.limits import IngestLimits
from pipelines_dagster.defs.ingest.metrics import prometheus, write_text
from pipelines_dagster.defs.ingest.report import Report
from pipelines_dagster.settings import PipelineSettings

ONCE = IngestLimits(give_up_s=60.0)
TRANSIENT = ("kafka_unavailable", "out_of_range", "progress_moved")


def textfile(settings: PipelineSettings) -> Path:
    """Where the metrics are, for a textfile collector."""
    return settings.serving.state / "metrics" / "ingest.prom"


def build(
    settings: PipelineSettings,
    limits: IngestLimits,
    stop: threading.Event | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> Ingest:
    return Ingest(
        settings.open_lake(),
        settings.serving.kafka_servers,
        limits=limits,
        ingested=settings.serving.logs / FILE,
        stop=stop,
        step=step,
    )


def ingest_once(
    settings: PipelineSettings,
    limits: IngestLimits = ONCE,
    stop: threading.Event | None = None,
) -> Report:
    """Everything that is in Kafka when it begins. Raises as `Ingest.cycle`, past `give_up_s`."""
    ingest = build(settings, limits, stop)
    create_tables(ingest.lake)
    began, asked = time.monotonic(), time.time()
    try:
        while not _cycled(ingest, began, limits) or not ingest.report.has(asked):
            pass
    except StoppedError:
        pass
    finally:
        ingest.close()
        write_text(textfile(settings), prometheus(ingest.report))
    return ingest.report


def _cycled(ingest: Ingest, began: float, limits: IngestLimits) -> bool:
    """Whether a cycle went through."""
    try:
        ingest.cycle(wait=False)
    except SkynetError as fault:
        late = limits.give_up_s is not None and time.monotonic() - began > limits.give_up_s
        if fault.code not in TRANSIENT or late:
            raise
        if ingest.stop.wait(limits.backoff_s):
            raise StoppedError from None
        return False
    return True


def follow(
    settings: PipelineSettings,
    stop: threading.Event,
    told: Callable[[Report], None],
    limits: IngestLimits | None = None,
) -> Report:
    """Until `stop` is set; `told` hears of every cycle. What fails is tried again for ever."""
    limits = replace(limits or IngestLimits(), give_up_s=None)
    ingest = build(settings, limits, stop)
    pause = limits.backoff_s
    try:
        while not stop.is_set():
            try:
                ingest.cycle()
                pause = limits.backoff_s
            except SkynetError as fault:
                if fault.code not in TRANSIENT:
                    raise
                stop.wait(pause)
                pause = min(2 * pause, limits.backoff_max_s)
            told(ingest.report)
            write_text(textfile(settings), prometheus(ingest.report))
    except StoppedError:
        pass
    finally:
        ingest.close()
    return ingest.report
