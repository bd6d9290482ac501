# SPDX-License-Identifier: Apache-2.0
"""`models/axes`: P_K anew from the creatives of the gold dataset (max_reward_optimizer 3.1).

The new axes are turned towards the live ones, because the forecaster and the value model read
context vectors in those: see `export.context_encoder.cluster.aligned`.
"""

from __future__ import annotations

import shutil

import numpy as np

from bls.brain.context import axes, files
from bls.brain.context.minilm import MiniLM
from bls.errors import SkynetError
from export.context_encoder.cluster import aligned, candidates
from export.context_encoder.report import report
from export.context_encoder.write import write
from export.llm.safetensors_file import SafetensorsFiles
from pipelines_dagster.defs.market.dataset import CARD, read_table, sha256
from pipelines_dagster.defs.training.trainer import Job, Made, Trainer
from pipelines_dagster.notify.notifier import streams_of

REPORT = "axes.pca.report"
HELD = 0.2
TEXTS = {"full": 20_000, "quick": 1_000}
LEAST = 200
_SHOWN = ("cosine_drop", "cosine_drop_layernorm", "pair_error", "nearest_kept")


def run(job: Job) -> Made:
    """Raises `no_data` with fewer than 200 distinct texts."""
    assert job.dataset is not None
    texts = sorted(set(read_table(job.dataset, "ads")["text"].to_list()))
    if len(texts) < LEAST:
        raise SkynetError("no_data", f"Axes need {LEAST} distinct texts or more.", 409)
    rng = np.random.default_rng(job.seed)
    texts = [texts[i] for i in rng.permutation(len(texts))[: TEXTS[job.profile]]]
    minilm = MiniLM(
        files.load_backbone(files.BACKBONE), (files.FOLDER / files.TOKENIZER).read_bytes()
    )
    embedded = np.stack([minilm.embed(text) for text in texts])
    held, fitted = np.split(embedded, [int(HELD * len(texts))])
    found = candidates(fitted, job.seed)
    figures = {name: report(p_k, held, job.seed) for name, p_k in found.items()}
    best = min(figures, key=lambda name: figures[name]["pair_error"])
    streams_of(job.settings).write(REPORT, shipped=best, held=len(held), **figures)
    live = SafetensorsFiles(job.champions.get("axes", files.FOLDER)).floats(axes.P_K)
    p_k = axes.check(aligned(found[best], live))
    metrics = {f"{name}.{k}": figures[name][k] for name in figures for k in _SHOWN}
    metrics |= report(p_k, held, job.seed) | {"texts_fitted": len(fitted), "texts_held": len(held)}
    out = job.out / "model"
    out.mkdir()
    shutil.copy(files.FOLDER / files.TOKENIZER, out / files.TOKENIZER)
    write(
        out,
        p_k,
        version="1",
        dataset_sha256=sha256(job.dataset / CARD),
        seed=job.seed,
        metrics=metrics,
    )
    return Made(out, metrics, {"from": best, "clusters": 256})


TRAINER = Trainer("axes", run, gold="tve_dataset", sla_s=3600)
