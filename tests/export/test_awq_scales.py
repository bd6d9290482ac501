# SPDX-License-Identifier: Apache-2.0
"""AWQ scales moved into norms and rows: the same function before rounding, the same export."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from export.llm.api import ensure_llm, export_source
from export.llm.awq_calibrate import AwqSource
from export.llm.awq_parity import MatrixParity, compare, int8_blocks, write_csv
from export.llm.awq_scales import AwqCheckpoint, LayerScales, _layer, matrices
from export.llm.checkpoint import Checkpoint
from export.llm.runner import OnnxLLM
from export.llm.sources import Source, resolve
from export.llm.tiny import write_tiny_source
from export.manifest import LLMManifest


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return resolve(str(write_tiny_source(tmp_path_factory.mktemp("source"))))


@pytest.fixture(scope="module")
def base(source: Source) -> Checkpoint:
    return source.open()


def scales(base: Checkpoint, seed: int | None) -> list[LayerScales]:
    """Random in [0.25, 4], the same for the query heads of a KV head; seed None: all of them 0.5,
    which keeps every weight on its grid."""
    config = base.config
    rng = np.random.default_rng(seed)

    def drawn(size: int) -> np.ndarray:
        if seed is None:
            return np.full(size, 0.5, np.float32)
        return np.exp2(rng.uniform(-2, 2, size)).astype(np.float32)

    def layer() -> LayerScales:
        heads = drawn(config.kv_heads * config.head_dim).reshape(config.kv_heads, 1, -1)
        o = np.repeat(heads, config.heads // config.kv_heads, axis=1).reshape(-1)
        return LayerScales(
            drawn(config.hidden), drawn(config.hidden), o, drawn(config.intermediate)
        )

    return [layer() for _ in range(config.layers)]


def test_every_matrix_is_the_same_function_before_rounding(base: Checkpoint) -> None:
    awq = AwqCheckpoint(base, scales(base, 1))
    rng = np.random.default_rng(2)
    for layer, kind in matrices(awq):
        weight = base.projection(layer, kind).dequantise()
        x = rng.standard_normal((4, weight.shape[1])).astype(np.float32)
        got = (x * awq.input_scale(layer, kind)) @ awq.smoothed(layer, kind).T
        np.testing.assert_allclose(
            got / awq.output_scale(layer, kind), x @ weight.T, rtol=1e-3, atol=1e-4
        )
    norm = awq.norm(0, "attention") / base.norm(0, "attention")
    np.testing.assert_allclose(norm, awq.input_scale(0, "q"), rtol=1e-6)


def test_an_export_with_scales_that_cost_nothing_is_the_plain_one(
    source: Source, base: Checkpoint, tmp_path: Path
) -> None:
    named = AwqSource(source.path, "tiny (awq)", "tiny-awq", source, scales(base, None))
    plain = OnnxLLM(ensure_llm(str(source.path), tmp_path), rows=1, max_len=64, threads=1)
    folder = export_source(named, tmp_path)
    ids = np.random.default_rng(0).integers(3, 512, 30)
    ours = OnnxLLM(folder, rows=1, max_len=64, threads=1).prefill(ids, 0, 30)
    np.testing.assert_allclose(ours, plain.prefill(ids, 0, 30), atol=0.02)
    manifest = LLMManifest.load(folder)
    assert not manifest.quantisation["lossless"] and "AWQ" in manifest.quantisation["projections"]
    other = AwqSource(source.path, "tiny (awq)", "tiny-awq", source, scales(base, 1))
    assert other.sha256() != named.sha256()


@pytest.mark.spec("CG-U-08")
def test_parity_of_every_matrix(base: Checkpoint, tmp_path: Path) -> None:
    """128 activations each. On the grid the weights are exact; the int8 activations are what is
    left."""
    awq = AwqCheckpoint(base, scales(base, None))
    rows = compare(awq, lambda layer, kind: base.projection(layer, kind).dequantise())
    assert len(rows) == 14
    assert max(row.weights_max for row in rows) < 1e-4
    assert 0.001 < max(row.served_max for row in rows) < 0.1
    rough = AwqCheckpoint(base, scales(base, 1))
    again = compare(rough, lambda layer, kind: base.projection(layer, kind).dequantise())
    assert all(a.weights_rms < 0.3 for a in again)
    assert max(a.weights_max for a in again) > max(row.weights_max for row in rows)
    write_csv(rows, tmp_path / "awq_parity.csv")
    read = list(csv.DictReader((tmp_path / "awq_parity.csv").open()))
    assert MatrixParity(**{k: type(getattr(rows[0], k))(v) for k, v in read[0].items()}) == rows[0]


def test_int8_blocks_round_to_a_127th_of_the_largest() -> None:
    x = np.zeros((2, 64), np.float32)
    x[0, :3] = (1.0, 0.5, 0.001)
    got = int8_blocks(x)
    assert got[0, 0] == 1.0 and got[0, 2] == 0.0 and abs(got[0, 1] - 0.5) <= 0.5 / 127
    assert not got[1].any()


def test_scales_are_read_from_the_quantisers(base: Checkpoint) -> None:
    """Means over what shares an input; ones where modelopt left a layer alone."""
    torch = pytest.importorskip("torch")

    def linear(size: int, value: float | None) -> SimpleNamespace:
        scale = None if value is None else torch.full((size,), value)
        return SimpleNamespace(
            input_quantizer=SimpleNamespace(pre_quant_scale=scale), weight=torch.zeros(1, size)
        )

    o = linear(64, 1.0)
    o.input_quantizer.pre_quant_scale[32:] = 3.0
    layer = SimpleNamespace(
        self_attn=SimpleNamespace(
            q_proj=linear(64, 1.0), k_proj=linear(64, 2.0), v_proj=linear(64, 3.0), o_proj=o
        ),
        mlp=SimpleNamespace(
            gate_proj=linear(64, None), up_proj=linear(64, 2.0), down_proj=linear(128, 0.5)
        ),
    )
    found = _layer(layer, base)
    assert set(found.attention) == {2.0} and set(found.mlp) == {1.5}
    assert set(found.o) == {2.0}, "two query heads of one KV head share the mean"
    assert set(found.down) == {0.5} and len(found.down) == 128
