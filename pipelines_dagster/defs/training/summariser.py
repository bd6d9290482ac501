# SPDX-License-Identifier: Apache-2.0
"""`models/summariser`: the token-selection student from the operator's dialogues.

The lake keeps no words of readers, so the dialogues are a file that the operator puts there and
answers for: `<lake>/chats/dialogues.jsonl.gz`, lines of {"id", "turns": [{"role", "content"}]}.
Source: content_generation 3, "Summariser Distil". What it makes is served by setting
`summariser_model`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from bls.condense.summariser import SELECTION, TOKENIZER
from bls.errors import SkynetError
from export.model_manifest import ModelManifest
from pipelines_dagster.defs.training.trainer import Job, Made, Trainer

DIALOGUES = "chats/dialogues.jsonl.gz"


def run(job: Job) -> Made:
    """Raises `no_data` without dialogues, or what `export.summariser.make.make` raises."""
    data = Path(job.settings.lake_root) / DIALOGUES
    if job.settings.lake_root.startswith("s3://") or not data.is_file():
        raise SkynetError("no_data", "The lake has no dialogues to summarise.", 409)
    from export.summariser.make import PROFILES, Source, make  # noqa: PLC0415  (seconds to import)

    config = PROFILES[job.profile]
    source = Source(job.settings.serving.llm_folder() / TOKENIZER)
    made = make(data, source, job.out, config, seed=job.seed, kinds=(SELECTION,))
    folder = made[SELECTION]
    metrics = ModelManifest.load(folder, verify=False).metrics
    return Made(folder, metrics, asdict(config))


TRAINER = Trainer("summariser", run, gold="", sla_s=3600)
