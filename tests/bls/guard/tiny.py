# SPDX-License-Identifier: Apache-2.0
"""A guard's folder with a graph of three words: small, real, and wrong where a test wants it."""

from __future__ import annotations

from pathlib import Path

from export.model_manifest import ModelManifest, hash_files
from tests.bls.policy.test_onnx_classifier import graph, words

THRESHOLDS = {"user": 0.8, "ad": 0.5, "reply": 0.95}


def write_guard(
    folder: Path,
    scores: tuple[float, ...] = (0.1, 0.2, 0.9),
    thresholds: dict[str, float] | None = None,
) -> Path:
    """`scores` of an unknown word, "nice" and "vile"; the graph says the highest."""
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(graph(scores))
    (folder / "tokenizer.json").write_bytes(words())
    ModelManifest(
        name="policy_guard",
        version="1",
        files=hash_files(folder, ("model.onnx", "tokenizer.json")),
        inputs={},
        outputs={},
        metrics={},
        dataset_sha256="",
        seed=0,
        created_by="a test",
        details={
            "thresholds": THRESHOLDS if thresholds is None else thresholds,
            "max_tokens": 8,
        },
    ).write(folder)
    return folder
