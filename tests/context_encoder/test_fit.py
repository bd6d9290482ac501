# SPDX-License-Identifier: Apache-2.0
"""P_K: orthonormal, keeps what there is to keep, and LayerNorm costs its weakest direction."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from bls.brain.context import axes
from export.context_encoder.fit import fit, principal, turned
from export.context_encoder.report import report
from export.context_encoder.texts import read_texts
from export.context_encoder.write import safetensors
from export.errors import ExportError
from export.llm.safetensors_file import SafetensorsFiles


@pytest.fixture
def embedded() -> np.ndarray:
    """Unit vectors whose strength falls over 384 directions."""
    generator = np.random.default_rng(3)
    basis = np.linalg.qr(generator.normal(size=(384, 384)))[0]
    made = (generator.normal(size=(600, 384)) * 0.97 ** np.arange(384)) @ basis
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def test_orthonormal_and_the_same_every_time(embedded: np.ndarray) -> None:
    p_k = fit(embedded)
    assert p_k.shape == (128, 384)
    np.testing.assert_allclose(p_k @ p_k.T, np.eye(128), atol=1e-5)
    assert (fit(embedded) == p_k).all()
    axes.check(p_k)


def test_turning_keeps_the_subspace_and_hides_its_weakest_row(embedded: np.ndarray) -> None:
    rows = principal(embedded)
    other = turned(rows)
    np.testing.assert_allclose(rows.T @ rows, other.T @ other, atol=1e-12)
    np.testing.assert_allclose(other.sum(axis=0) / np.sqrt(128), rows[-1], atol=1e-12)
    plain, better = (report(p.astype(np.float32), embedded, 1) for p in (rows, other))
    assert better["cosine_drop"] == pytest.approx(plain["cosine_drop"], abs=1e-6)
    assert better["cosine_drop_layernorm"] <= plain["cosine_drop_layernorm"]
    assert better["cosine_drop"] < 0.01 and better["pair_correlation"] > 0.99


def test_projection_is_layernorm_then_unit_norm(embedded: np.ndarray) -> None:
    p_k = fit(embedded)
    x = embedded[:5].astype(np.float64) @ p_k.T
    normed = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    want = normed / np.linalg.norm(normed, axis=1, keepdims=True)
    np.testing.assert_allclose(axes.project(p_k, embedded[:5]), want, atol=1e-6)


def test_written_tensors_are_read_back(tmp_path: Path, embedded: np.ndarray) -> None:
    (tmp_path / "p.safetensors").write_bytes(safetensors({"a": embedded[:3], "b": embedded[3:4]}))
    read = SafetensorsFiles(tmp_path)
    assert (read.floats("a") == embedded[:3]).all() and (read.floats("b") == embedded[3:4]).all()


def test_texts_of_every_kind(tmp_path: Path) -> None:
    turns = [
        {"role": r, "content": c}
        for r, c in (("user", "a"), ("assistant", "b"), ("user", "c"), ("user", "d"))
    ]
    with gzip.open(tmp_path / "chats.jsonl.gz", "wt") as file:
        file.write(json.dumps({"turns": turns}) + "\n")
    (tmp_path / "prompts.json").write_text('["one", "one", " "]')
    (tmp_path / "ads.tsv").write_text("title\ttext\nShoes\tLight.\n")
    (tmp_path / "lines.txt").write_text("x\n\ny\n")
    assert read_texts(str(tmp_path / "chats.jsonl.gz")) == ["a", "a\nc"]
    assert read_texts(str(tmp_path / "prompts.json")) == ["one"]
    assert read_texts(f"{tmp_path / 'ads.tsv'}:title,text") == ["Shoes. Light."]
    assert read_texts(str(tmp_path / "lines.txt")) == ["x", "y"]


@pytest.mark.parametrize("source", ["none.json", "ads.tsv:colour", "odd.csv"])
def test_unreadable_texts_are_refused(tmp_path: Path, source: str) -> None:
    (tmp_path / "ads.tsv").write_text("title\nShoes\n")
    with pytest.raises(ExportError) as raised:
        read_texts(str(tmp_path / source))
    assert raised.value.code == "texts_invalid"
