# SPDX-License-Identifier: Apache-2.0
"""Writes what was trained: three folders with model, tokenizer, card and manifest each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.model_manifest import ModelManifest, dataset_hash, hash_files
from export.tve.card import CARD, card
from export.tve.data import Samples
from export.tve.model import DualTower
from export.tve.onnx_export import (
    INPUTS,
    MODEL,
    OPSET,
    OUTPUTS,
    curves,
    session,
    write_f32,
    write_int8,
)
from export.tve.score import Score, score, values
from export.tve.tokens import TOKENIZER

TEACHER, STUDENT, INT8 = "teacher_f32", "student_f32", "student_int8"
VERSIONS = (TEACHER, STUDENT, INT8)

R2_LOSS, DISTANCE = 0.005, 0.01
"""int8 is served when it costs at most this much of the student's R2 on the dev split, and moves
its curves by at most 1 % of their mean: otherwise its smaller file is not worth it."""


@dataclass(frozen=True)
class Origin:
    """Where a model comes from, and the tokenizer it needs."""

    dataset: Path
    config: dict[str, Any]
    seed: int
    tokenizer: Any


def write(
    out: Path, teacher: DualTower, student: DualTower, dev: Samples, origin: Origin
) -> tuple[Path, dict[str, float]]:
    """The folder to serve and every version's figures, named `<version>_<figure>`."""
    for version, model in ((TEACHER, teacher), (STUDENT, student)):
        (out / version).mkdir(exist_ok=True)
        write_f32(model, out / version / MODEL)
    (out / INT8).mkdir(exist_ok=True)
    write_int8(out / STUDENT / MODEL, out / INT8 / MODEL)

    found = {version: served(out / version, dev) for version in VERSIONS}
    scores = {version: score(found[version], dev) for version in VERSIONS}
    metrics = {
        f"{version}_{name}": float(value)
        for version in VERSIONS
        for name, value in asdict(scores[version]).items()
    }
    metrics |= parity(student, dev, found)
    digest = dataset_hash(origin.dataset)
    for version in VERSIONS:
        _describe(out / version, scores[version], origin, digest)
    near = metrics["f32_int8_mean"] <= DISTANCE
    kept = scores[STUDENT].r2 - scores[INT8].r2 <= R2_LOSS
    return out / (INT8 if near and kept else STUDENT), metrics


def served(folder: Path, samples: Samples) -> NDArray[np.float32]:
    """CURVE [n, 4] of each row, by the folder's own graph, one run for each distinct pair."""
    pairs = np.stack([samples.of_ctx, samples.of_ad], axis=1)
    unique, back = np.unique(pairs, axis=0, return_inverse=True)
    ctx, ad = unique[:, 0], unique[:, 1]
    found = curves(session(folder / MODEL), samples.ctx[ctx], samples.ids[ad], samples.mask[ad])
    every: NDArray[np.float32] = found[back.ravel()]
    return every


def parity(
    student: DualTower, dev: Samples, found: dict[str, NDArray[np.float32]], rows: int = 512
) -> dict[str, float]:
    """Distances of V(1) .. V(48) in units of the mean V: torch to f32, f32 to int8, to teacher."""
    few = slice(0, rows)
    ad = dev.of_ad[few]
    with torch.no_grad():
        told = student(
            torch.from_numpy(dev.ctx[dev.of_ctx[few]]),
            torch.from_numpy(dev.ids[ad]),
            torch.from_numpy(dev.mask[ad]),
        ).numpy()
    level = float(values(found[STUDENT][few]).mean())

    def distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[float, float]:
        gap = np.abs(values(one[few]) - values(other[few])) / level
        return float(gap.mean()), float(gap.max())

    named = {
        "torch_f32": distance(told, found[STUDENT]),
        "f32_int8": distance(found[STUDENT], found[INT8]),
        "teacher_student": distance(found[TEACHER], found[STUDENT]),
    }
    return {f"{n}_{k}": v for n, both in named.items() for k, v in zip(_KINDS, both, strict=True)}


_KINDS = ("mean", "max")


def _describe(folder: Path, result: Score, origin: Origin, digest: str) -> None:
    version, tokenizer = folder.name, origin.tokenizer
    (folder / TOKENIZER).write_text(tokenizer.to_str(pretty=False) + "\n", encoding="utf-8")
    metrics = {name: round(float(value), 6) for name, value in asdict(result).items()}
    (folder / CARD).write_text(card(version, metrics, origin.config, origin.seed, digest))
    ModelManifest(
        name="tve",
        version=version,
        files=hash_files(folder, (MODEL, TOKENIZER, CARD)),
        inputs=INPUTS,
        outputs=OUTPUTS,
        metrics=metrics,
        dataset_sha256=digest,
        seed=origin.seed,
        created_by="python -m export.tve train",
        details={
            "opset": OPSET,
            "quantisation": "int8 weights, dynamic activations" if version == INT8 else "none",
            "vocabulary": tokenizer.get_vocab_size(),
        },
    ).write(folder)
