# SPDX-License-Identifier: Apache-2.0
"""`models/agent`: f(tau), from the lake's labelled sessions and our own drivers'.

Drivers' sessions keep it from forgetting agents that did not come by lately; people are in the
lake alone, and only where somebody said so. Without sessions of the lake there is nothing to learn
that the version which ships does not know.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from bls.errors import SkynetError
from pipelines_dagster.defs.training import sessions
from pipelines_dagster.defs.training.trainer import Job, Made, Trainer

QUICK_STEPS = 30
LEAST = 20
"""Sessions of the lake: what drivers alone teach, the version that ships knows."""


def run(job: Job) -> Made:
    """Raises `no_data`, or what `export.agent_score.training.train` raises."""
    from bls.phantom.recorded import write_sessions  # noqa: PLC0415
    from export.agent_score.config import TrainConfig  # noqa: PLC0415
    from export.agent_score.training import train  # noqa: PLC0415  (seconds to import)

    config = TrainConfig()
    if job.profile == "quick":
        config = replace(config, steps=QUICK_STEPS)
    own = sessions.learnt(job.lake)
    if len(own) < LEAST:
        raise SkynetError("no_data", "The lake has too few labelled sessions.", 409)
    rows = [*own, *sessions.taught(sessions.GENERATED[job.profile], job.seed)]
    file = job.out / "sessions.jsonl.gz"
    write_sessions(file, rows)
    made = train([file], job.out / "model", config, job.seed)
    table = job.lake.open(sessions.TABLE)
    params = asdict(config) | {"sessions": len(rows), "of_the_lake": len(own)}
    params |= {"table": sessions.TABLE, "table_version": 0 if table is None else table.version()}
    return Made(job.out / "model", made.metrics, params)


TRAINER = Trainer("agent", run, gold="", sla_s=1800)
