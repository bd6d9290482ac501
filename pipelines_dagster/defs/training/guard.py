# SPDX-License-Identifier: Apache-2.0
"""`models/guard`: the classifier of `policy_guard` on the labelled texts an operator has.

No label of this kind comes out of the lake: texts are read from `SKYNET_PIPELINES_GUARD_DATA`, a
folder laid out as `export.guard.sources` says. A version is served by naming its folder in
`SKYNET_GUARD_MODEL`: no guard is swapped while it judges.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bls.errors import SkynetError
from export.guard.config import GuardConfig
from pipelines_dagster.defs.training.trainer import Job, Made, Trainer

PROFILES = {"full": GuardConfig(), "quick": replace(GuardConfig(), max_steps=40)}
TEXTS = {"full": 0, "quick": 3_000}


def run(job: Job) -> Made:
    """Raises `no_data` where no folder is named or a file is missing."""
    if not job.settings.guard_data:
        raise SkynetError("no_data", "No folder of labelled texts is named.", 409)
    from export.guard.build import options, train  # noqa: PLC0415  (seconds to import)

    config = PROFILES[job.profile]
    data = Path(job.settings.guard_data)
    built = train(data, job.out / "model", config, job.seed, TEXTS[job.profile])
    return Made(built.folder, built.metrics, options(config))


TRAINER = Trainer("guard", run, gold="", sla_s=2 * 3600)
