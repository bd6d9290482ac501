# SPDX-License-Identifier: Apache-2.0
"""Sessions in, an artefact folder out: the classifier, its ONNX graph, manifest and model card."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnxruntime

from bls.contracts import AGENT_GRAPH, Tensor
from export.agent_score import graph
from export.agent_score.artefact import FEATURE_LAYOUT, MODEL_FILE
from export.agent_score.calibrate import fit, unseen
from export.agent_score.card import card
from export.agent_score.config import TrainConfig
from export.agent_score.fitted import Fitted
from export.agent_score.scores import auc, ece
from export.agent_score.sessions import Prefixes, prefixes, read
from export.errors import ExportError
from export.manifest import file_sha256
from export.model_manifest import ModelManifest, hash_files

PARITY = 1e-4
"""Largest difference between the graph and numpy that is let through."""


def train(
    files: Sequence[Path], out: Path, config: TrainConfig, seed: int, version: str = "1"
) -> ModelManifest:
    """Writes model.onnx, manifest.json and MODEL_CARD.md; the same input gives the same bytes.

    Raises `ExportError`: `sessions_missing`, `parity_failed`.
    """
    data = prefixes(read(files))
    fitted = fit(data, np.ones(len(data.agent), bool), config, seed)
    out.mkdir(parents=True, exist_ok=True)
    graph.write(graph.build(fitted), out / MODEL_FILE)
    manifest = ModelManifest(
        name=AGENT_GRAPH.name,
        version=version,
        files=hash_files(out, [MODEL_FILE]),
        inputs=_told(AGENT_GRAPH.inputs),
        outputs=_told(AGENT_GRAPH.outputs),
        metrics=_metrics(data, fitted, out / MODEL_FILE, seed),
        dataset_sha256=_dataset(files),
        seed=seed,
        created_by=f"python -m export.agent_score --sessions FILE... --out DIR --seed {seed}",
        details={"config": asdict(config), "feature_layout": FEATURE_LAYOUT, "opset": 21},
    )
    manifest.write(out)
    size = (out / MODEL_FILE).stat().st_size
    (out / "MODEL_CARD.md").write_text(card(manifest, data, size), encoding="utf-8")
    return manifest


def _metrics(data: Prefixes, fitted: Fitted, model: Path, seed: int) -> dict[str, float]:
    scores = unseen(data, fitted.config, seed)[data.whole()]
    found = {
        "sessions": float(len(data.agent)),
        "prefixes": float(len(data.length)),
        "calibration.slope": fitted.slope,
        "calibration.offset": fitted.offset,
        "unseen.auc": auc(data.agent, scores),
        "unseen.ece": ece(data.agent, scores, fitted.config.prior),
        "parity.probability": parity(data, fitted, model),
    }
    if found["parity.probability"] > PARITY:
        raise ExportError("parity_failed", "the graph does not answer as the classifier does")
    return {name: round(value, 7) for name, value in found.items()}


def parity(data: Prefixes, fitted: Fitted, model: Path) -> float:
    """Largest difference of a probability between the graph and numpy."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in AGENT_GRAPH.inputs]
    inputs = dict(zip(names, (data.transitions, data.stats), strict=True))
    answered = session.run([AGENT_GRAPH.outputs[0].name], inputs)[0][:, 0]
    return float(np.abs(answered - fitted.probability(data.transitions, data.stats)).max())


def _told(tensors: Sequence[Tensor]) -> dict[str, str]:
    return {
        tensor.name: f"{tensor.dtype}[{','.join(map(str, (-1, *tensor.dims)))}]"
        for tensor in tensors
    }


def _dataset(files: Sequence[Path]) -> str:
    """SHA-256 over the files' own, in the order that they were read."""
    told = "".join(f"{file_sha256(file)}\n" for file in files)
    return hashlib.sha256(told.encode()).hexdigest()
