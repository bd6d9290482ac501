# SPDX-License-Identifier: Apache-2.0
"""A version of `tve` on disk: what is read of it, and every way it can be refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bls.brain.tve.estimator import Estimate, Estimator
from bls.brain.tve.version import load
from bls.contracts import AD_TOKENS, CTX
from bls.errors import SkynetError
from bls.models.pointer import FolderPointer, Target
from export.errors import ExportError
from export.manifest import file_sha256
from tests.tve_server.stub import CURVE, describe, graph, write_version


def target(folder: Path) -> Target:
    return Target("1", folder, file_sha256(folder / "manifest.json"))


def tokenizer(folder: Path, change: Callable[[dict[str, object]], None]) -> None:
    raw = json.loads((folder / "tokenizer.json").read_text())
    change(raw)
    (folder / "tokenizer.json").write_text(json.dumps(raw))
    describe(folder)


def tampered_tokenizer(folder: Path) -> None:
    with (folder / "tokenizer.json").open("a") as file:
        file.write(" ")


def tampered_model(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(graph((1.0, 1.0, 1.0, 1.0)))


def no_tokenizer(folder: Path) -> None:
    raw = json.loads((folder / "manifest.json").read_text())
    del raw["files"]["tokenizer.json"]
    (folder / "manifest.json").write_text(json.dumps(raw))
    (folder / "tokenizer.json").unlink()


def broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    describe(folder)


def no_padding(folder: Path) -> None:
    tokenizer(folder, lambda raw: raw.update(padding=None))


def not_a_graph(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"nothing")
    describe(folder)


def steep(folder: Path) -> None:
    write_version(folder, (2.0, 11.0, 4.0, 0.3))


def undefined(folder: Path) -> None:
    write_version(folder, (2.0, float("nan"), 4.0, 0.3))


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (tampered_tokenizer, "model_hash_mismatch"),
        (tampered_model, "model_hash_mismatch"),
        (no_tokenizer, "model_missing"),
        (broken_tokenizer, "model_contract"),
        (no_padding, "model_contract"),
        (not_a_graph, "model_contract"),
        (steep, "bad_curve"),
        (undefined, "bad_curve"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_damaged_version_is_refused(
    damage: Callable[[Path], None], code: str, tmp_path: Path
) -> None:
    folder = write_version(tmp_path / "version")
    load(target(folder))
    damage(folder)
    with pytest.raises(ExportError) as caught:
        load(target(folder))
    assert caught.value.code == code


def test_without_a_version_there_is_a_typed_error(tmp_path: Path) -> None:
    estimator = Estimator(FolderPointer(tmp_path))
    estimator.models.champion.poll()
    answer = estimator.answer(np.zeros((1, CTX), np.float32), ["an ad"])
    assert isinstance(answer, SkynetError) and answer.code == "model_missing"
    assert estimator.stats.errors.of(code="model_missing") == 1


def test_texts_and_bytes_are_the_same_ad(tmp_path: Path) -> None:
    write_version(tmp_path)
    estimator = Estimator(FolderPointer(tmp_path))
    estimator.models.champion.poll()
    ctx = np.zeros((2, CTX), np.float32)
    answer = estimator.answer(ctx, ["Ein schönes Hotel", "Ein schönes Hotel".encode()])
    assert isinstance(answer, Estimate)
    assert answer.curve.tolist() == [list(np.array(CURVE, np.float32))] * 2
    assert answer.tokens[0, 0] == answer.tokens[1, 0] < AD_TOKENS
    assert (estimator.stats.requests, estimator.stats.rows) == (1, 2)


@pytest.mark.parametrize("shape", [(1, CTX), (2, CTX - 1)])
def test_contexts_of_another_shape_are_refused(shape: tuple[int, int], tmp_path: Path) -> None:
    estimator = Estimator(FolderPointer(write_version(tmp_path)))
    estimator.models.champion.poll()
    answer = estimator.answer(np.zeros(shape, np.float32), ["one", "two"])
    assert isinstance(answer, SkynetError) and answer.code == "bad_ctx"
