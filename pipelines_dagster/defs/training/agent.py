# SPDX-License-Identifier: Apache-2.0
"""`models/agent`: f(tau), from the lake's labelled sessions and our own drivers'.

Drivers' sessions keep it from forgetting agents that did not come by lately; people are in the
lake alone, and only where somebody said so. Without a labelled session it learns from drivers.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from pipelines_dagster.defs.training import sessions
from pipelines_dagster.defs.training.trainer import Job, Made, Trainer

STEPS = {"full": 400, "quick": 60}


def run(job: Job) -> Made:
    """Raises what `export.agent_score.training.train` raises."""
    from bls.phantom.recorded import write_sessions  # noqa: PLC0415
    from export.agent_score.config import TrainConfig  # noqa: PLC0415
    from export.agent_score.training import train  # noqa: PLC0415  (seconds to import)

    config = replace(TrainConfig(), steps=STEPS[job.profile])
    rows = sessions.training(job.lake, job.profile, job.seed)
    file = job.out / "sessions.jsonl.gz"
    write_sessions(file, rows)
    made = train([file], job.out / "model", config, job.seed)
    own = sum(one.label != "synthetic" for one in rows)
    params = asdict(config) | {"sessions": len(rows), "labelled": own}
    return Made(job.out / "model", made.metrics, params | _read(job))


def _read(job: Job) -> dict[str, object]:
    """Which rows of the lake it learned from, where there are any."""
    table = job.lake.open(sessions.TABLE)
    if table is None:
        return {}
    return {"table": sessions.TABLE, "table_version": table.version()}


TRAINER = Trainer("agent", run, gold="", sla_s=1800)
