# SPDX-License-Identifier: Apache-2.0
"""DPO on the tiny model, and its adapter in the graph against the same weights merged in torch."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("peft", reason="needs the pipelines' packages")

import torch

from bls.llm.adapter_file import CONFIG, WEIGHTS, check_folder
from export.errors import ExportError
from export.llm.api import ensure_llm
from export.llm.graph import GraphOptions
from export.llm.tiny import write_tiny_source
from export.lora import dpo
from export.lora.check import compare
from export.lora.encode import Batch
from export.lora.fine_tune import Recipe, Tuned, fine_tune
from export.lora.pairs import Pair, read_pairs, simulated_pairs
from export.manifest import MANIFEST_NAME, file_sha256
from export.model_manifest import ModelManifest

FAST = dpo.DPOConfig(rank=8, alpha=16, learning_rate=5e-3, steps=16, batch=4)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_source(tmp_path_factory.mktemp("source")))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    """One word decides: something that a tiny model can learn in a few steps."""
    return [
        Pair(f"question {i}", "half price today", "terms and conditions", (30.0, 5.0))
        for i in range(20)
    ]


@pytest.fixture(scope="module")
def tuned(source: str, cache: Path, pairs: list[Pair]) -> Tuned:
    return fine_tune(pairs, Recipe(source, FAST), cache, cache / "lora_1")


def test_training_moves_the_reward_margin_and_leaves_the_reference(tuned: Tuned) -> None:
    assert tuned.before.margin == 0 and tuned.before.kl == pytest.approx(0, abs=1e-6)
    assert tuned.after.margin > 0.1 and tuned.after.accuracy == 1.0
    assert tuned.after.loss < tuned.before.loss
    assert tuned.after.kl > 0


def test_the_version_is_peft_files_and_a_manifest(tuned: Tuned, pairs: list[Pair]) -> None:
    assert {file.name for file in tuned.folder.iterdir()} == {CONFIG, WEIGHTS, MANIFEST_NAME}
    manifest = ModelManifest.load(tuned.folder)
    assert manifest.metrics["pairs"] == len(pairs)
    assert manifest.details["beta"] == 0.1 and manifest.details["method"] == "dpo"
    assert check_folder(tuned.folder, file_sha256(tuned.folder / MANIFEST_NAME))


def test_the_same_seed_gives_the_same_weights(
    source: str, cache: Path, pairs: list[Pair], tuned: Tuned
) -> None:
    short = Recipe(source, dataclasses.replace(FAST, steps=2))
    files = []
    for name in "ab":
        fine_tune(pairs, short, cache, cache / name)
        files.append((cache / name / WEIGHTS).read_bytes())
    assert files[0] == files[1] != (tuned.folder / WEIGHTS).read_bytes()


def test_rows_in_the_graph_equal_the_merged_model(source: str, cache: Path, tuned: Tuned) -> None:
    """With f32 activations: what is left is the order of sums and the head's int8 activations."""
    folder = ensure_llm(source, cache, options=GraphOptions(accuracy_level=1))
    ids = np.random.default_rng(3).integers(3, 512, 40).tolist()
    found = compare(folder, source, tuned.folder, ids)
    assert found.effect > 10 * found.adapted, found
    assert found.adapted < 2 * found.plain + 1e-3, found


def test_the_loss_is_the_formula(source: str) -> None:
    """Against the paper's formula, term by term, and its known value at the reference."""
    ours = torch.tensor([-5.0, -7.0, -6.0, -6.5])
    reference = torch.tensor([-5.5, -7.0, -5.0, -7.5])
    weight = torch.tensor([1.5, 0.5])
    gains = [(-5.0 + 5.5) - (-6.0 + 5.0), 0.0 - (-6.5 + 7.5)]
    by_hand = [w * np.log1p(np.exp(-0.1 * g)) for w, g in zip((1.5, 0.5), gains, strict=True)]
    assert float(dpo._loss(ours, reference, weight, 0.1)) == pytest.approx(np.mean(by_hand))
    assert float(dpo._loss(ours, ours, weight, 0.1)) == pytest.approx(np.log(2))


def test_only_the_message_is_scored() -> None:
    scored = torch.tensor([[False, False, True, True], [False, True, False, False]])
    batch = Batch(torch.tensor([[1, 2, 3, 0], [1, 0, 2, 2]]), scored, torch.ones(1))
    log_probs = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    assert dpo._summed(log_probs, batch).tolist() == [7.0 + 8.0, 12.0]


def test_simulated_pairs_are_the_seeds(tmp_path: Path) -> None:
    one = simulated_pairs(30, 1)
    assert one == simulated_pairs(30, 1) != simulated_pairs(30, 2)
    assert all(pair.weight > 0 and pair.chosen != pair.rejected for pair in one)
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(dataclasses.asdict(pair)) + "\n" for pair in one))
    assert read_pairs(file) == one


def test_bad_pairs_and_options(tmp_path: Path, source: str, cache: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    good = {"context": "a", "chosen": "b", "rejected": "c", "clicks": [2, 1]}
    for bad in ({"clicks": [1, 1]}, {"clicks": [1]}, {"chosen": ""}):
        file.write_text(json.dumps(good | bad))
        with pytest.raises(ExportError, match="pairs"):
            read_pairs(file)
    with pytest.raises(ExportError, match="at least"):
        fine_tune([], Recipe(source), cache, cache / "none")
    for odd in ({"rank": 65}, {"beta": 0.0}, {"steps": 0}):
        with pytest.raises(ValueError, match="DPO"):
            dataclasses.replace(FAST, **odd)
