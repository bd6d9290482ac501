# SPDX-License-Identifier: Apache-2.0
"""Whether an index version may answer readers: whole, and it finds what an exact search finds."""

from __future__ import annotations

import time

import numpy as np

from bls.errors import SkynetError
from bls.select.index import build
from bls.select.index import version as on_disk
from bls.select.index.bench.truth import nearest, recall
from bls.select.index.ivfpq import F16
from bls.select.index.protocol import F32
from bls.select.index.top import best
from export.errors import ExportError
from export.model_manifest import ModelManifest
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.promotion.ledger import Event

RECALL = 0.90
"""Least recall@10 (max_reward_optimizer 6.2)."""
STREAM = "vector_db.recall.json"

_QUERIES, _K = 200, 10
_BETWEEN = 0.3


def check(trained: Event, desk: Desk) -> Event:
    """The verdict, in the ledger; its `reason` is empty for a version that passed."""
    began = time.monotonic()
    reason, figures = "", dict[str, float]()
    try:
        folder = desk.artefacts.fetch(trained.stored)
        index = on_disk.read(folder, trained.stored.sha256).main
        rows = int(ModelManifest.load(folder, verify=False).metrics["rows"])
        vectors = build.map_vectors(folder / on_disk.VECTORS)
        queries = _queries(vectors)
        truth = nearest(queries, vectors, min(_K, rows))
        found = []
        for query in queries:
            near, sims = index.near(query, _K, None)
            found.append(near[best(near, sims, truth.shape[1])])
        figures = {"recall": recall(found, truth), "queries": len(queries), "rows": rows}
        if figures["recall"] < RECALL:
            reason = f"recall@10 {figures['recall']:.4f} < {RECALL}"
    except (SkynetError, ExportError) as fault:
        reason = fault.code
    elapsed = 1e3 * (time.monotonic() - began)
    stored = trained.stored
    event = Event(stored.version, log.GATE, stored, reason=reason, elapsed_ms=elapsed)
    desk.ledger.append(event)
    told = {"version": stored.version, "index_sha": stored.sha256, **figures}
    desk.streams.write(STREAM, **told, passed=not reason, reason=reason)
    if reason:
        text = f"{stored.version} did not pass its gate: {reason}."
        desk.notifier.tell("gate_failed", text, version=stored.version, failures=[reason])
    return event


def _queries(vectors: F16) -> F32:
    """Points near creatives, some way towards another: contexts do not lie on creatives."""
    rng = np.random.default_rng(0)
    count = min(_QUERIES, len(vectors))
    here = vectors[np.sort(rng.choice(len(vectors), count, replace=False))].astype(np.float32)
    there = vectors[np.sort(rng.choice(len(vectors), count, replace=False))].astype(np.float32)
    mixed = (1 - _BETWEEN) * here + _BETWEEN * there[rng.permutation(count)]
    unit: F32 = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return unit
