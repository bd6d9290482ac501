# SPDX-License-Identifier: Apache-2.0
"""`models/tve`: teacher, student and its int8 twin on the gold dataset; one is kept."""

from __future__ import annotations

from dataclasses import asdict

from export.tve.config import Dims, Stage, TveConfig
from pipelines_dagster.defs.training.trainer import Job, Made, Trainer

PROFILES = {
    "full": TveConfig(),
    "quick": TveConfig(
        teacher=Dims(ctx=32, ctx_tokens=4, ctx_layers=1, ad=64, ad_layers=2, fused=64),
        similarity=Stage(2e-3, 1),
        supervised=Stage(2e-3, 4),
        distil=Stage(4e-3, 4),
        max_steps=150,
    ),
}


def run(job: Job) -> Made:
    """Raises what `export.tve.train.train` raises."""
    from export.tve.train import train  # noqa: PLC0415  (seconds to import)

    assert job.dataset is not None
    config = PROFILES[job.profile]
    tokenizer = job.settings.serving.tve_folder() / "tokenizer.json"
    kept = tokenizer if tokenizer.is_file() else None
    done = train(job.dataset, config, job.seed, job.out / "model", tokenizer=kept)
    return Made(done.artefact, done.metrics, asdict(config))


TRAINER = Trainer("tve", run, gold="tve_dataset", sla_s=5 * 3600)
