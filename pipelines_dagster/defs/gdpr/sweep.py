# SPDX-License-Identifier: Apache-2.0
"""Every night: erasures that a crash or a busy place left open are done again."""

from __future__ import annotations

from dataclasses import dataclass

from bls.errors import SkynetError
from pipelines_dagster.defs.gdpr.erase import finish_one
from pipelines_dagster.defs.gdpr.requests import unfinished
from pipelines_dagster.settings import PipelineSettings


@dataclass(frozen=True)
class Swept:
    """Counts of requests."""

    finished: int
    left_open: int


def sweep(settings: PipelineSettings) -> Swept:
    """One that cannot be done now does not keep the others from it."""
    requests = unfinished(settings.open_lake())
    finished = 0
    for request in requests:
        try:
            finished += finish_one(settings, request).done
        except SkynetError:
            continue
    return Swept(finished, len(requests) - finished)
