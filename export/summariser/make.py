# SPDX-License-Identifier: Apache-2.0
"""From dialogues to two versions of the summariser: `selection` and `hs_bart`."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from bls.condense.summariser import GRAPHS, HS_BART, SELECTION, TOKENIZER
from export.llm.sources import AUTO, resolve
from export.manifest import file_sha256
from export.model_manifest import ModelManifest, hash_files
from export.summariser.dataset import Dataset, read_dataset
from export.summariser.graph import OPSET, write_graph
from export.summariser.network import STUDENT, TEACHER, Dims, Summariser, reduced
from export.summariser.teacher import Teacher
from export.summariser.training import (
    Progress,
    Stage,
    kept_share,
    next_share,
    train_bart,
    train_selector,
)

GRAPH = "model.onnx"


@dataclass(frozen=True)
class Config:
    """Stages of a training; a `Stage` says steps, rate, and seconds at most.

    Attributes:
        most: training dialogues that are used at most.
        teacher_name: folder or hub id of a summariser whose targets are learnt; empty makes them
            as `export.summariser.targets` does, and trains a teacher for HS-BART.
    """

    teacher: Dims = TEACHER
    student: Dims = STUDENT
    selecting: Stage = field(default_factory=lambda: Stage(300, 2e-3, 1800.0))
    teaching: Stage = field(default_factory=lambda: Stage(1400, 1.5e-3, 420.0, batch=24))
    distilling: Stage = field(default_factory=lambda: Stage(1600, 1.5e-3, 420.0, batch=24))
    most: int | None = None
    teacher_name: str = ""


PROFILES = {
    "full": Config(),
    "quick": Config(
        student=Dims(width=32, encoder=1, decoder=1, heads=2),
        selecting=Stage(30, 4e-3, 120.0, batch=16),
        most=200,
    ),
}


@dataclass(frozen=True)
class Source:
    """Where the vocabulary comes from: the served LLM, its tokenizer, its embedding."""

    tokenizer: Path
    llm: str = AUTO


def make_selection(
    dataset: Dataset, table: Any, config: Config, seed: int, tell: Progress
) -> tuple[Summariser, dict[str, float]]:
    """The token-selection student, and its figures on the validation windows."""
    torch.manual_seed(seed)
    network = Summariser(config.student, table)
    train_selector(network, dataset.train, config.selecting, seed=seed, tell=tell)
    return network, {"kept_agreement": kept_share(network, dataset.validation)}


def make_hs_bart(
    dataset: Dataset,
    selector: Summariser,
    teacher: Summariser | None,
    config: Config,
    *,
    seed: int,
    tell: Progress,
) -> tuple[Summariser, dict[str, float]]:
    """HS-BART, which begins with the selector's encoder; `teacher` None trains by targets alone."""
    network = copy.deepcopy(selector)
    train_bart(network, dataset.train, config.distilling, seed=seed, tell=tell, teacher=teacher)
    metrics = {
        "kept_agreement": kept_share(network, dataset.validation),
        "next_agreement": next_share(network, dataset.validation),
    }
    if teacher is not None:
        metrics["teacher_next_agreement"] = next_share(teacher, dataset.validation)
    return network, metrics


def make_teacher(
    dataset: Dataset, table: Any, config: Config, seed: int, tell: Progress
) -> Summariser:
    """A larger BART on the same targets."""
    torch.manual_seed(seed)
    network = Summariser(config.teacher, table)
    selecting = Stage(100, 2e-3, config.teaching.seconds / 6)
    train_selector(network, dataset.train, selecting, seed=seed, tell=tell)
    train_bart(network, dataset.train, config.teaching, seed=seed, tell=tell)
    return network


def make(
    data: Path,
    source: Source,
    out: Path,
    config: Config,
    *,
    seed: int = 0,
    kinds: tuple[str, ...] = (SELECTION, HS_BART),
    tell: Callable[[str], None] = print,
) -> dict[str, Path]:
    """Train and write a folder a kind below `out`. Raises `ExportError`."""
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(str(source.tokenizer))
    foreign = _foreign(config.teacher_name)
    dataset = read_dataset(data, tokenizer, config.most, foreign)
    tell(f"{len(dataset.train)} windows to train on, {len(dataset.validation)} to validate")
    embedding = resolve(source.llm).open().embedding().dequantise()
    narrow = reduced(embedding, config.student.width)
    selector, metrics = make_selection(dataset, narrow, config, seed, tell)
    made = {}
    if SELECTION in kinds:
        made[SELECTION] = write(
            selector, SELECTION, out / SELECTION, source, data=data, metrics=metrics, seed=seed
        )
        tell(f"selection: {metrics}")
    if HS_BART in kinds:
        teacher = None
        if foreign is None:
            wide = reduced(embedding, config.teacher.width)
            teacher = make_teacher(dataset, wide, config, seed, tell)
        bart, metrics = make_hs_bart(dataset, selector, teacher, config, seed=seed, tell=tell)
        tell(f"hs_bart: {metrics}")
        made[HS_BART] = write(
            bart, HS_BART, out / HS_BART, source, data=data, metrics=metrics, seed=seed
        )
    return made


def _foreign(name: str) -> Teacher | None:
    return Teacher(name) if name else None


def write(
    network: Summariser,
    kind: str,
    folder: Path,
    source: Source,
    *,
    data: Path,
    metrics: dict[str, float],
    seed: int,
) -> Path:
    """The version's folder: `model.onnx`, `tokenizer.json`, `manifest.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_graph(network, kind, folder / GRAPH)
    shutil.copyfile(source.tokenizer, folder / TOKENIZER)
    sizes = vars(network.dims)
    ModelManifest(
        name="summariser",
        version="1",
        files=hash_files(folder, (GRAPH, TOKENIZER)),
        inputs={t.name: f"{t.dtype}[-1,{t.dims[0]}]" for t in GRAPHS[kind].inputs},
        outputs={t.name: f"{t.dtype}[-1,{t.dims[0]}]" for t in GRAPHS[kind].outputs},
        metrics={name: round(value, 6) for name, value in metrics.items()},
        dataset_sha256=file_sha256(data),
        seed=seed,
        created_by="python -m export.summariser train",
        details={"kind": kind, "opset": OPSET, "quantisation": "int8 weights", "sizes": sizes},
    ).write(folder)
    return folder
