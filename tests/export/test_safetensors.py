# SPDX-License-Identifier: Apache-2.0
"""Safetensors folders: number formats, AWQ, refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from export.errors import ExportError
from export.llm import ensure_llm
from export.llm.awq import read_awq
from export.llm.runner import OnnxLLM
from export.llm.safetensors_checkpoint import SafetensorsCheckpoint, read_config
from export.llm.safetensors_file import SafetensorsFiles
from export.llm.tiny import CONFIG, tiny_weights, write_safetensors, write_tiny_source
from export.manifest import LLMManifest

RNG = np.random.default_rng(2)
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm"}
ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


def _pack(values: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """AutoAWQ's packing, written forwards: nibble i of a word is column ORDER[i]."""
    columns = values.reshape(values.shape[0], -1, 8).astype(np.uint32)
    words = np.zeros(columns.shape[:2], np.uint32)
    for nibble, column in enumerate(ORDER):
        words |= columns[..., column] << np.uint32(4 * nibble)
    return words.view(np.int32)


def _awq(rows: int, columns: int, group: int) -> tuple[dict[str, Any], Any]:
    codes = RNG.integers(0, 16, (columns, rows))
    zeros = RNG.integers(0, 16, (columns // group, rows))
    scale = RNG.uniform(0.01, 0.05, zeros.shape).astype(np.float16)
    weight = (codes - zeros.repeat(group, 0)) * scale.astype(np.float32).repeat(group, 0)
    packed = {"qweight": _pack(codes), "qzeros": _pack(zeros), "scales": scale}
    return packed, weight.T.astype(np.float32)


def test_awq_repack_is_exact(tmp_path: Path) -> None:
    packed, weight = _awq(24, 256, group=128)
    write_safetensors(tmp_path / "m.safetensors", {f"p.{k}": v for k, v in packed.items()})
    tensor = read_awq(SafetensorsFiles(tmp_path), "p")
    assert np.allclose(tensor.dequantise(), weight, rtol=0, atol=1e-7)
    exact = tensor.codes.astype(np.float64) - 8
    exact = exact * tensor.scale[..., None] + np.asarray(tensor.offset, np.float64)[..., None]
    assert np.array_equal(exact.reshape(24, 256).astype(np.float32), weight)


def test_an_awq_folder_exports_and_runs(tmp_path: Path) -> None:
    folder = write_tiny_source(tmp_path / "awq")
    tensors: dict[str, Any] = {}
    for name, weight in tiny_weights(0).items():
        if weight.ndim == 2 and "embed" not in name:
            packed, _ = _awq(weight.shape[0], weight.shape[1], group=32)
            tensors |= {f"{name.removesuffix('.weight')}.{k}": v for k, v in packed.items()}
        else:
            tensors[name] = weight
    write_safetensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps(CONFIG | {"quantization_config": AWQ}))
    model = ensure_llm(str(folder), tmp_path)
    assert LLMManifest.load(model).quantisation["projections"] == {"AWQ": 14}
    assert np.isfinite(OnnxLLM(model, 1, 32).forward([[5, 6, 7]], [0])).all()


@pytest.mark.parametrize("change", [{"bits": 8}, {"version": "gemv"}, {"group_size": -1}])
def test_other_awq_is_refused(tiny_source: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    _expect(tiny_source, tmp_path, {"quantization_config": AWQ | change}, "awq_unsupported")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model_type": "gemma"}, "architecture_unsupported"),
        ({"attention_bias": True}, "architecture_unsupported"),
        ({"hidden_size": 72}, "architecture_unsupported"),
        ({"num_key_value_heads": 3}, "architecture_unsupported"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "architecture_unsupported"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantisation_unsupported"),
        ({"eos_token_id": None}, "source_invalid"),
        ({"num_hidden_layers": 3}, "source_invalid"),
    ],
)
def test_refusals(tiny_source: Path, tmp_path: Path, change: dict[str, Any], code: str) -> None:
    _expect(tiny_source, tmp_path, change, code)


def _expect(source: Path, tmp_path: Path, change: dict[str, Any], code: str) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "changed"))
    (folder / "config.json").write_text(json.dumps(CONFIG | change))
    with pytest.raises(ExportError) as caught:
        ensure_llm(str(folder), tmp_path / "cache")
    assert caught.value.code == code
    assert not list((tmp_path / "cache").glob("llm/[0-9a-f]*"))


def test_llama3_rope_scaling() -> None:
    scaling = {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 128,
    }
    factors = read_config(CONFIG | {"rope_scaling": scaling}).rope_factors
    assert factors is not None
    assert factors[0] == 1.0  # short waves are left alone
    assert factors[-1] == pytest.approx(8.0)  # long ones are stretched by the factor
    assert all(1.0 <= factor <= 8.0 for factor in factors)


def test_number_formats(tmp_path: Path) -> None:
    values = RNG.standard_normal((2, 32)).astype(np.float32)
    half = values.astype(np.float16)
    write_safetensors(tmp_path / "a.safetensors", {"x": values, "y": half, "n": _pack(values > 0)})
    files = SafetensorsFiles(tmp_path)
    assert np.array_equal(files.floats("x"), values)
    assert np.array_equal(files.floats("y"), half.astype(np.float32))
    with pytest.raises(ExportError):
        files.floats("n")
    with pytest.raises(ExportError):
        files.integers("x")


def test_bfloat16(tmp_path: Path) -> None:
    header = b'{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    body = np.array([1.5, -2.0], np.float32).view(np.uint16)[1::2].tobytes()
    path = tmp_path / "b.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + body)
    assert SafetensorsFiles(tmp_path).floats("x").tolist() == [1.5, -2.0]


@pytest.mark.parametrize("content", [b"", b"\xff" * 16, b"\x02" + b"\0" * 7 + b"[]"])
def test_malformed_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(ExportError) as caught:
        SafetensorsFiles(tmp_path)
    assert caught.value.code == "source_invalid"


def test_an_untied_head(tmp_path: Path) -> None:
    folder = write_tiny_source(tmp_path / "untied")
    weights = tiny_weights(0)
    weights["lm_head.weight"] = -weights["model.embed_tokens.weight"]
    write_safetensors(folder / "model.safetensors", weights)
    (folder / "config.json").write_text(json.dumps(CONFIG | {"tie_word_embeddings": False}))
    assert SafetensorsCheckpoint(folder, "untied").head() is not None
    tied = ensure_llm(str(write_tiny_source(tmp_path / "tied")), tmp_path)
    untied = ensure_llm(str(folder), tmp_path)
    logits = [OnnxLLM(model, 1, 32).forward([[5, 6, 7]], [0]) for model in (tied, untied)]
    assert np.allclose(logits[0], -logits[1], atol=1e-5)
